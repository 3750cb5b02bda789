//! The server over a real socket: what a display, a program, a person and an attacker meet.

mod displays;
mod pages;
mod requests;
mod site;
mod streams;
