//! The C interface of libchdb, and the only place of the crate with unsafe code.
//!
//! What leaves this module is safe: results are copied out and freed, a stream borrows its connection (libchdb runs one
//! statement at a time on each), and dropping a value gives back what it held in the library.
#![expect(unsafe_code, reason = "libchdb is a C library; every call into it stands in this module")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

use bytes::Bytes;

use crate::exception::Exception;

type Handle = *mut c_void;
type ResultHandle = *mut c_void;
type Pairs = (*const *const c_char, *const usize);

type ConnectFn = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut Handle;
type WithParamsFn = unsafe extern "C" fn(
    Handle,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> *mut c_void;

/// The functions Leeway uses. They are read once and stay valid because the library is never unloaded.
struct Api {
    connect: ConnectFn,
    close: unsafe extern "C" fn(*mut Handle),
    query: WithParamsFn,
    stream_query: WithParamsFn,
    stream_fetch: unsafe extern "C" fn(Handle, ResultHandle) -> ResultHandle,
    stream_cancel: unsafe extern "C" fn(Handle, ResultHandle),
    insert: WithParamsFn,
    insert_append: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_int,
    insert_done: unsafe extern "C" fn(*mut c_void) -> ResultHandle,
    insert_cancel: unsafe extern "C" fn(*mut c_void),
    insert_error: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    insert_destroy: unsafe extern "C" fn(*mut c_void),
    buffer: unsafe extern "C" fn(ResultHandle) -> *mut c_char,
    length: unsafe extern "C" fn(ResultHandle) -> usize,
    error: unsafe extern "C" fn(ResultHandle) -> *const c_char,
    destroy: unsafe extern "C" fn(ResultHandle),
    elapsed: unsafe extern "C" fn(ResultHandle) -> f64,
    rows: unsafe extern "C" fn(ResultHandle) -> u64,
    rows_read: unsafe extern "C" fn(ResultHandle) -> u64,
    bytes_read: unsafe extern "C" fn(ResultHandle) -> u64,
    rows_written: unsafe extern "C" fn(ResultHandle) -> u64,
    bytes_written: unsafe extern "C" fn(ResultHandle) -> u64,
    set_signal_handlers: unsafe extern "C" fn(c_int),
}

/// Counts that libchdb gives with a result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    pub result_rows: u64,
    pub read_rows: u64,
    pub read_bytes: u64,
    pub written_rows: u64,
    pub written_bytes: u64,
    pub elapsed_s: f64,
}

impl Statistics {
    /// Adds the counts of a later part of the same answer.
    pub fn add(&mut self, later: &Statistics) {
        self.result_rows += later.result_rows;
        self.read_rows += later.read_rows;
        self.read_bytes += later.read_bytes;
        self.written_rows += later.written_rows;
        self.written_bytes += later.written_bytes;
        self.elapsed_s += later.elapsed_s;
    }
}

/// A result, or one part of a streamed one, copied out of the library.
#[derive(Debug, Default)]
pub struct Output {
    pub data: Bytes,
    pub statistics: Statistics,
}

/// A statement as libchdb takes it: text, the format where the text names none, and the values of `{name:Type}`.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub text: &'a [u8],
    pub format: &'a str,
    pub params: &'a [(String, String)],
}

impl<'a> Call<'a> {
    /// A statement without parameters, its result as tab-separated text.
    pub fn plain(text: &'a str) -> Self {
        Self { text: text.as_bytes(), format: "TabSeparated", params: &[] }
    }
}

/// The loaded library.
#[derive(Clone, Copy)]
pub struct Library(&'static Api);

impl Library {
    /// Loads the library and keeps it from taking over the process's signal handlers.
    pub fn load(path: &Path) -> Result<Self, libloading::Error> {
        // SAFETY: loading runs the library's initialisers; libchdb is built to be loaded this way.
        let library = unsafe { libloading::Library::new(path)? };
        // Never unloaded: the engine's threads run in it until the process ends.
        let library: &'static libloading::Library = Box::leak(Box::new(library));
        let api = Box::leak(Box::new(read_api(library)?));
        // SAFETY: it only sets a flag, and nothing is connected yet.
        unsafe { (api.set_signal_handlers)(0) };
        Ok(Self(api))
    }

    /// Opens a connection. Server options (`--path`, `--max_server_memory_usage`) count only in the first one.
    pub fn connect(self, arguments: &[&str]) -> Result<Connection, Exception> {
        let owned: Vec<CString> = std::iter::once("clickhouse")
            .chain(arguments.iter().copied())
            .map(CString::new)
            .collect::<Result<_, _>>()
            .map_err(|_| Exception::new(36, "BAD_ARGUMENTS", "a connection argument holds a NUL byte"))?;
        let mut pointers: Vec<*mut c_char> =
            owned.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
        pointers.push(std::ptr::null_mut());
        // SAFETY: `pointers` is a NULL-terminated argv whose strings outlive the call; libchdb copies them.
        let pointer = unsafe { (self.0.connect)(count, pointers.as_mut_ptr()) };
        if pointer.is_null() {
            return Err(Exception::new(210, "NETWORK_ERROR", "the engine refused a new connection"));
        }
        Ok(Connection { api: self.0, pointer })
    }
}

fn read_api(library: &'static libloading::Library) -> Result<Api, libloading::Error> {
    // SAFETY: the types are those of chdb.h at the pinned version, and the library is never unloaded.
    unsafe {
        Ok(Api {
            connect: *library.get(b"chdb_connect\0")?,
            close: *library.get(b"chdb_close_conn\0")?,
            query: *library.get(b"chdb_query_with_params_n\0")?,
            stream_query: *library.get(b"chdb_stream_query_with_params_n\0")?,
            stream_fetch: *library.get(b"chdb_stream_fetch_result\0")?,
            stream_cancel: *library.get(b"chdb_stream_cancel_query\0")?,
            insert: *library.get(b"chdb_stream_insert_with_params_n\0")?,
            insert_append: *library.get(b"chdb_stream_append\0")?,
            insert_done: *library.get(b"chdb_stream_done\0")?,
            insert_cancel: *library.get(b"chdb_stream_cancel_insert\0")?,
            insert_error: *library.get(b"chdb_stream_insert_error\0")?,
            insert_destroy: *library.get(b"chdb_destroy_insert_stream\0")?,
            buffer: *library.get(b"chdb_result_buffer\0")?,
            length: *library.get(b"chdb_result_length\0")?,
            error: *library.get(b"chdb_result_error\0")?,
            destroy: *library.get(b"chdb_destroy_query_result\0")?,
            elapsed: *library.get(b"chdb_result_elapsed\0")?,
            rows: *library.get(b"chdb_result_rows_read\0")?,
            rows_read: *library.get(b"chdb_result_storage_rows_read\0")?,
            bytes_read: *library.get(b"chdb_result_storage_bytes_read\0")?,
            rows_written: *library.get(b"chdb_result_rows_written\0")?,
            bytes_written: *library.get(b"chdb_result_bytes_written\0")?,
            set_signal_handlers: *library.get(b"chdb_set_signal_handlers_enabled\0")?,
        })
    }
}

/// One session of the engine: its settings, current database and temporary tables are its own. It runs one statement at a time.
pub struct Connection {
    api: &'static Api,
    pointer: *mut Handle,
}

// SAFETY: libchdb lets any thread use a connection, one at a time; `&mut self` on every method gives exactly that.
unsafe impl Send for Connection {}

impl Connection {
    fn handle(&self) -> Handle {
        // SAFETY: `pointer` came from chdb_connect and is closed only in `drop`.
        unsafe { *self.pointer }
    }

    /// Runs a statement and waits for its whole result.
    pub fn query(&mut self, call: Call<'_>) -> Result<Output, Exception> {
        let result = self.run(self.api.query, call);
        take_result(self.api, result)
    }

    /// Starts a SELECT whose result comes in parts.
    pub fn stream(&mut self, call: Call<'_>) -> Result<Stream<'_>, Exception> {
        let result = self.run(self.api.stream_query, call);
        if let Some(exception) = result_error(self.api, result) {
            // SAFETY: the handle is ours and not used again.
            unsafe { (self.api.destroy)(result) };
            return Err(exception);
        }
        Ok(Stream { connection: self, result, finished: false })
    }

    /// Starts an INSERT (without FORMAT clause and data) whose data follows in `call.format`.
    pub fn insert(&mut self, call: Call<'_>) -> Result<InsertStream<'_>, Exception> {
        let stream =
            InsertStream { handle: self.run(self.api.insert, call), connection: self, finished: false };
        match stream.error() {
            Some(exception) => Err(exception),
            None => Ok(stream),
        }
    }

    fn run(&self, function: WithParamsFn, call: Call<'_>) -> *mut c_void {
        let names: Vec<_> = call.params.iter().map(|(name, _)| name.as_ptr().cast::<c_char>()).collect();
        let name_lengths: Vec<_> = call.params.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<_> = call.params.iter().map(|(_, value)| value.as_ptr().cast::<c_char>()).collect();
        let value_lengths: Vec<_> = call.params.iter().map(|(_, value)| value.len()).collect();
        let (name_pointers, value_pointers): (Pairs, Pairs) =
            ((names.as_ptr(), name_lengths.as_ptr()), (values.as_ptr(), value_lengths.as_ptr()));
        // SAFETY: every pointer is valid for its length during the call, and libchdb copies what it keeps.
        unsafe {
            function(
                self.handle(),
                call.text.as_ptr().cast(),
                call.text.len(),
                call.format.as_ptr().cast(),
                call.format.len(),
                name_pointers.0,
                name_pointers.1,
                value_pointers.0,
                value_pointers.1,
                call.params.len(),
            )
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: opened by chdb_connect, closed once; streams borrow the connection and are gone.
        unsafe { (self.api.close)(self.pointer) };
    }
}

/// A SELECT under way. Dropped before its end, it is cancelled.
pub struct Stream<'a> {
    connection: &'a mut Connection,
    result: ResultHandle,
    finished: bool,
}

impl Stream<'_> {
    /// The next part, a complete document of its format; `None` after the last. Blocks until the engine has it.
    pub fn next(&mut self) -> Result<Option<Output>, Exception> {
        if self.finished {
            return Ok(None);
        }
        let api = self.connection.api;
        // SAFETY: both handles are live, and `&mut self` serialises the calls as libchdb demands.
        let part = unsafe { (api.stream_fetch)(self.connection.handle(), self.result) };
        let output = take_result(api, part).inspect_err(|_| self.finished = true)?;
        self.finished = output.data.is_empty();
        Ok((!self.finished).then_some(output))
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        let api = self.connection.api;
        // SAFETY: the handles are live until here; cancelling an ended stream is avoided by `finished`.
        unsafe {
            if !self.finished {
                (api.stream_cancel)(self.connection.handle(), self.result);
            }
            (api.destroy)(self.result);
        }
    }
}

/// An INSERT under way. Dropped before `finish`, it is cancelled and its unfinished block is not written.
pub struct InsertStream<'a> {
    connection: &'a mut Connection,
    handle: *mut c_void,
    finished: bool,
}

impl InsertStream<'_> {
    fn error(&self) -> Option<Exception> {
        // SAFETY: the stream handle is live; the text belongs to it and is copied at once.
        unsafe { copy_error((self.connection.api.insert_error)(self.handle)) }
    }

    /// Hands over a piece of the data; blocks while the engine is behind.
    pub fn append(&mut self, data: &[u8]) -> Result<(), Exception> {
        // SAFETY: `data` is valid for its length; libchdb copies it.
        let state =
            unsafe { (self.connection.api.insert_append)(self.handle, data.as_ptr().cast(), data.len()) };
        if state == 0 {
            return Ok(());
        }
        // The reason of a failed insert comes with its end.
        Err(match self.end() {
            Err(exception) => exception,
            Ok(_) => Exception::new(1002, "UNKNOWN_EXCEPTION", "the engine stopped taking data of an insert"),
        })
    }

    /// Ends the data and waits until all of it is written.
    pub fn finish(mut self) -> Result<Output, Exception> {
        self.end()
    }

    fn end(&mut self) -> Result<Output, Exception> {
        self.finished = true;
        // SAFETY: called once, on a live stream.
        take_result(self.connection.api, unsafe { (self.connection.api.insert_done)(self.handle) })
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        let api = self.connection.api;
        // SAFETY: the handle is live until here and destroyed once.
        unsafe {
            if !self.finished {
                (api.insert_cancel)(self.handle);
            }
            (api.insert_destroy)(self.handle);
        }
    }
}

/// Ends the process without running exit handlers: those of libchdb wait for ever while a connection is open.
pub fn exit_at_once(code: i32) -> ! {
    unsafe extern "C" {
        fn _exit(code: c_int) -> !;
    }
    // SAFETY: it never returns, so nothing of this process is used after it.
    unsafe { _exit(code) }
}

fn result_error(api: &Api, result: ResultHandle) -> Option<Exception> {
    if result.is_null() {
        return Some(Exception::new(1002, "UNKNOWN_EXCEPTION", "the engine gave no result"));
    }
    // SAFETY: a live result; the text belongs to it and is copied at once.
    unsafe { copy_error((api.error)(result)) }
}

/// Copies a result out of the library and frees it.
fn take_result(api: &Api, result: ResultHandle) -> Result<Output, Exception> {
    let error = result_error(api, result);
    if result.is_null() {
        return Err(error.unwrap_or_else(|| Exception::new(1002, "UNKNOWN_EXCEPTION", "no result")));
    }
    // SAFETY: a live result whose buffer is valid for its length until it is destroyed below.
    unsafe {
        let (buffer, length) = ((api.buffer)(result), (api.length)(result));
        let data = match buffer.is_null() || length == 0 || error.is_some() {
            true => Bytes::new(),
            false => Bytes::copy_from_slice(std::slice::from_raw_parts(buffer.cast::<u8>(), length)),
        };
        let statistics = Statistics {
            result_rows: (api.rows)(result),
            read_rows: (api.rows_read)(result),
            read_bytes: (api.bytes_read)(result),
            written_rows: (api.rows_written)(result),
            written_bytes: (api.bytes_written)(result),
            elapsed_s: (api.elapsed)(result),
        };
        (api.destroy)(result);
        error.map_or(Ok(Output { data, statistics }), Err)
    }
}

/// # Safety
/// `text` is NULL or a NUL-terminated string valid during the call.
unsafe fn copy_error(text: *const c_char) -> Option<Exception> {
    if text.is_null() {
        return None;
    }
    // SAFETY: promised by the caller.
    let message = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    (!message.is_empty()).then(|| Exception::from_message(&message))
}
