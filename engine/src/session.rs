//! Sessions: connections that stay between requests, each for one request at a time and until nobody used it for a while.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::exception::Exception;
use crate::ffi::Connection;
use crate::request::SessionWish;

/// Sessions kept at once: each holds a connection with its temporary tables in memory.
const MAX_SESSIONS: usize = 64;

/// A client that has its answer may ask again before the connection is put back; so long is waited for that.
const HAND_OVER: Duration = Duration::from_millis(500);

enum Session {
    Busy,
    Idle { connection: Connection, until: Instant },
}

/// All sessions of the engine.
#[derive(Default)]
pub struct Sessions {
    all: Mutex<HashMap<String, Session>>,
    put_back: Condvar,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a session's connection out for one request; `connect` makes it where it is new.
    pub fn take(
        &self,
        wish: &SessionWish,
        connect: impl FnOnce() -> Result<Connection, Exception>,
    ) -> Result<Connection, Exception> {
        let is_busy =
            |sessions: &mut HashMap<String, Session>| matches!(sessions.get(&wish.id), Some(Session::Busy));
        let (mut sessions, _) = self
            .put_back
            .wait_timeout_while(self.lock(), HAND_OVER, is_busy)
            .unwrap_or_else(PoisonError::into_inner);
        match sessions.get(&wish.id) {
            Some(Session::Busy) => {
                return Err(Exception::new(
                    373,
                    "SESSION_IS_LOCKED",
                    "Session is locked by a concurrent client",
                ));
            }
            None if wish.must_exist => {
                return Err(Exception::new(372, "SESSION_NOT_FOUND", "Session not found"));
            }
            None if sessions.len() >= MAX_SESSIONS => {
                let message =
                    format!("{MAX_SESSIONS} sessions are open, which is the most the embedded engine keeps");
                return Err(Exception::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", message));
            }
            _ => {}
        }
        let connection = match sessions.remove(&wish.id) {
            Some(Session::Idle { connection, .. }) => connection,
            _ => connect()?,
        };
        sessions.insert(wish.id.clone(), Session::Busy);
        Ok(connection)
    }

    /// Puts a session's connection back; its time begins again.
    pub fn put_back(&self, wish: &SessionWish, connection: Connection) {
        let until = Instant::now() + wish.timeout;
        self.lock().insert(wish.id.clone(), Session::Idle { connection, until });
        self.put_back.notify_all();
    }

    /// Closes the sessions whose time is over.
    pub fn close_expired(&self) {
        let now = Instant::now();
        self.lock().retain(|_, session| !matches!(session, Session::Idle { until, .. } if *until <= now));
    }

    /// Closes all that are idle: the engine stops.
    pub fn close_all(&self) {
        self.lock().retain(|_, session| matches!(session, Session::Busy));
    }
}
