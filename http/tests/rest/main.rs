//! The REST surface, against a real server on a loopback socket, an engine in memory, and a clock that only the tests move.

mod access;
mod carried;
mod catalogue;
mod contract;
mod customers;
mod edge;
mod errors;
mod holds;
mod keys;
mod lists;
mod money;
mod orders;
mod own;
mod people;
mod personal;
mod server;
mod stocks;
mod tokens;
