//! The alerter against the real engine, a real mail server, and receivers that check what they get.

#[path = "alerter/mail.rs"]
mod mail;
#[path = "alerter/post.rs"]
mod post;
#[path = "alerter/telling.rs"]
mod telling;
#[path = "alerter/watch.rs"]
mod watch;
#[path = "alerter/wishes.rs"]
mod wishes;
