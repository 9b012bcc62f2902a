//! The `larder` command from the outside: the real binary, its output, its exit codes.

mod backends;
mod bad_input;
mod blob;
mod command;
mod config;
mod control;
mod kv;
mod migrate;
mod migrate_servers;
mod new_projects;
mod plugin;
