//! The program `stockade`: see `stockade --help`.

mod cli;

use std::process::ExitCode;

/// Orders are many small allocations that cross threads, where the system's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
