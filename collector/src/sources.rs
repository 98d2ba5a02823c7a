//! The doors through which events come, one file each. Each decodes, hands in to the queues, and answers its sender.

pub mod http;
pub mod kafka;
