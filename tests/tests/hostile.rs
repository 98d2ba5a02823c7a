//! Senders that mean harm, or are broken, against the real process: each is refused with a reason, memory stays flat, and
//! the next honest sender is served.

#[path = "hostile/connections.rs"]
mod connections;
#[path = "hostile/names.rs"]
mod names;
#[path = "hostile/sizes.rs"]
mod sizes;
#[path = "hostile/victim.rs"]
mod victim;
