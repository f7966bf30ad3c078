//! The REST surface, against a real server on a loopback socket, an engine in memory, and a clock that only the tests move.

mod bulk;
mod carried;
mod catalogue;
mod compat;
mod contract;
mod edge;
mod errors;
mod events;
mod holds;
mod lists;
mod mistakes;
mod money;
mod orders;
mod personal;
mod retries;
mod server;
mod stocks;
mod versions;
