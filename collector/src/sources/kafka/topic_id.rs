//! The identity that Kafka gives a topic when it is made: another one when it is deleted and made again.
//!
//! The client library in Rust does not offer it; the C library under it does. All calls into that stand here.
#![expect(unsafe_code, reason = "librdkafka's DescribeTopics has no wrapper in Rust")]

use std::ffi::{CStr, CString};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::{Client, ClientContext};

/// Why a topic's identity is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    #[error("the topic \"{0}\" does not exist")]
    NoTopic(String),
    #[error("Kafka does not say what the topic \"{topic}\" is: {reason}")]
    NoAnswer { topic: String, reason: String },
}

/// Asks the brokers; blocks up to `timeout`. Empty where they are too old to know (before Kafka 2.8).
///
/// # Errors
/// Where there is no such topic, or nobody answers.
pub fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<String, Unknown> {
    let no_answer = |reason: &str| Unknown::NoAnswer { topic: topic.to_owned(), reason: reason.to_owned() };
    let name = CString::new(topic).map_err(|_| no_answer("its name holds a zero byte"))?;
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let broker =
        client.fetch_metadata(Some(topic), timeout).map_err(|error| no_answer(&error.to_string()))?;
    let asked = Asked::send(client.native_ptr(), &name, millis, broker.orig_broker_id());
    // SAFETY: the queue lives as long as `asked`; the event is destroyed with it.
    let event = Event(unsafe { c::rd_kafka_queue_poll(asked.queue, millis.saturating_add(1_000)) });
    if event.0.is_null() {
        return Err(no_answer("no answer in time"));
    }
    // SAFETY: the event is not null; everything read from it is copied before it is destroyed.
    unsafe {
        if c::rd_kafka_event_error(event.0) != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(no_answer(&text(c::rd_kafka_event_error_string(event.0))));
        }
        let result = c::rd_kafka_event_DescribeTopics_result(event.0);
        if result.is_null() {
            return Err(no_answer("an answer to something else"));
        }
        let mut count = 0;
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count == 0 {
            return Err(no_answer("an empty answer"));
        }
        let found = *topics;
        match c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(found)) {
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => {
                return Err(Unknown::NoTopic(topic.to_owned()));
            }
            error => return Err(no_answer(&text(c::rd_kafka_err2str(error)))),
        }
        let id = c::rd_kafka_TopicDescription_topic_id(found);
        let is_zero = id.is_null()
            || (c::rd_kafka_Uuid_most_significant_bits(id) == 0
                && c::rd_kafka_Uuid_least_significant_bits(id) == 0);
        Ok(if is_zero { String::new() } else { text(c::rd_kafka_Uuid_base64str(id)) })
    }
}

/// # Safety
/// `pointer` is null or a text that ends with a zero.
unsafe fn text(pointer: *const std::ffi::c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// A question under way, and the queue on which its answer comes.
struct Asked {
    queue: *mut c::rd_kafka_queue_t,
    options: *mut c::rd_kafka_AdminOptions_t,
    topics: *mut c::rd_kafka_TopicCollection_t,
}

impl Asked {
    /// Asks the broker `broker`, which answered a moment ago: the client would ask the controller, and wait for one to be
    /// elected, though any broker knows.
    fn send(client: *mut c::rd_kafka_t, name: &CStr, millis: i32, broker: i32) -> Self {
        let mut names = [name.as_ptr()];
        // SAFETY: the client outlives this call, the names are copied by it, and what it makes is freed by `drop`.
        unsafe {
            let queue = c::rd_kafka_queue_new(client);
            let for_topics = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
            let options = c::rd_kafka_AdminOptions_new(client, for_topics);
            c::rd_kafka_AdminOptions_set_request_timeout(options, millis, std::ptr::null_mut(), 0);
            if broker >= 0 {
                c::rd_kafka_AdminOptions_set_broker(options, broker, std::ptr::null_mut(), 0);
            }
            let topics = c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            c::rd_kafka_DescribeTopics(client, topics, options, queue);
            Self { queue, options, topics }
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // SAFETY: made by `send`, and nobody else has them.
        unsafe {
            c::rd_kafka_TopicCollection_destroy(self.topics);
            c::rd_kafka_AdminOptions_destroy(self.options);
            c::rd_kafka_queue_destroy(self.queue);
        }
    }
}

struct Event(*mut c::rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came from a queue and belongs to us.
            unsafe { c::rd_kafka_event_destroy(self.0) }
        }
    }
}
