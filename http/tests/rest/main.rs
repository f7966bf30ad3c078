//! The REST surface, against a real server on a loopback socket, an engine in memory, and a clock that only the tests move.

mod access;
mod bulk;
mod carried;
mod catalogue;
mod compat;
mod contract;
mod customers;
mod docs;
mod edge;
mod errors;
mod events;
mod holds;
mod keys;
mod lists;
mod mistakes;
mod money;
mod orders;
mod own;
mod people;
mod personal;
mod races;
mod retries;
mod server;
mod stocks;
mod tokens;
mod versions;
