//! The real binary, as people and programs run it.

mod auth;
mod config;
mod full_disk;
mod replay;
mod seed;
mod serve;
mod support;
mod user;
mod verify;
