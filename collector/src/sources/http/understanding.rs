//! What a body says: unpacked, told from what came before under its key, and decoded, with the room that its events take.

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Accepted, Refusal};
use super::door::{Decode, Taken};
use super::retries::{self, Key};
use super::{Http, body};
use crate::decode::{Rules, Unreadable};
use crate::event::cut_payload;
use crate::queue::Gather;

/// What is wanted of a body.
pub struct Wanted {
    pub form: body::Form,
    /// Under which it came.
    pub key: Option<Key>,
    pub keep_text: bool,
}

/// What was found in a body.
pub enum Found<B> {
    /// It came before under its key, and was answered so.
    Again(Accepted),
    New(Understood<B>),
}

/// What a body came to.
pub struct Understood<B> {
    /// How many bytes are to wait; `room` is there for them.
    pub bytes: usize,
    /// The body unpacked, where somebody wants it still.
    pub text: Bytes,
    pub room: OwnedSemaphorePermit,
    pub request: Option<retries::Request>,
    /// Its events, or why there are none, with its beginning.
    pub decoded: Result<Taken<B>, (Unreadable, String)>,
}

/// Unpacks and decodes a body.
pub fn understand<B: Gather>(
    http: &Http,
    packed: body::Packed,
    Wanted { form, key, keep_text }: Wanted,
    rules: &Rules,
    decode: Decode<B>,
) -> Result<Found<B>, Refusal> {
    let body::Unpacked { text, mut room } = packed.unpack(form.packing, &http.limits, &http.room)?;
    http.intake.metrics().waiting(http.limits.waiting_bytes - http.room.available_permits() * 1_024);
    let place = key.as_ref().map(|key| key.place().to_owned());
    let request = key.map(|key| key.request(&text));
    if let Some(answer) = http.answer_to(request.as_ref())? {
        return Ok(Found::Again(answer));
    }
    let decoded = http.with_names(|names| {
        names.make_ids_of(place);
        decode(&text, form.framing, names, rules)
    });
    let taken = match decoded {
        Ok(taken) => taken,
        Err(unreadable) => {
            let (bytes, decoded) = (text.len(), Err((unreadable, cut_payload(&text))));
            return Ok(Found::New(Understood { bytes, text: Bytes::new(), room, request: None, decoded }));
        }
    };
    let text = if keep_text { text } else { Bytes::new() };
    // From here on it is the events that take room: many small ones take more than their text. One body that is more than
    // there is room at all may have all of it.
    let bytes = taken.bytes() + text.len();
    body::adjust(&mut room, &http.room, bytes.min(http.limits.waiting_bytes))?;
    Ok(Found::New(Understood { bytes, text, room, request, decoded: Ok(taken) }))
}
