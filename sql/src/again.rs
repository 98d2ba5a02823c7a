//! Inserts of which the store may know the token and have forgotten the rows.
//!
//! A plain `MergeTree` writes a token down before the rows have their place. Killed in between, it takes the repetition for a
//! second insert, and the rows are gone (`docs/decisions/0002-clickhouse-is-odd.md`). So whoever may be repeating an insert
//! looks whether its rows are there, and inserts them under a further token where they are not. Further tokens are the same
//! for everybody: of several who repeat an insert still only one has it stored.

use std::time::Duration;

use crate::store::Store;

/// Further tokens: one is used up by each kill at the wrong moment.
const MOST: usize = 8;

/// Rows that are not there are looked for once more after this time: another's insert under the same token may be about to
/// give them their place, for the server writes the token down before.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// The tokens under which rows are inserted until they are there. Only the first where rows and token are kept together
/// ([`Store::may_forget_rows`]): on a cluster, rows that are not seen yet may only be on their way to this replica.
pub fn tokens(store: &Store, token: &str) -> impl Iterator<Item = String> + use<> {
    let most = if store.may_forget_rows() { MOST } else { 0 };
    let first = token.to_owned();
    std::iter::once(token.to_owned()).chain((1..=most).map(move |n| format!("{first}/again/{n}")))
}

/// What `look` finds, at once or at a second look. There is none where rows and token are kept together.
///
/// # Errors
/// Those of `look`.
pub async fn found<T, E, F>(store: &Store, look: impl Fn() -> F) -> Result<Option<T>, E>
where
    F: Future<Output = Result<Option<T>, E>>,
{
    let first = look().await?;
    if first.is_some() || !store.may_forget_rows() {
        return Ok(first);
    }
    tokio::time::sleep(SECOND_LOOK).await;
    look().await
}

/// A token that nobody has had, for rows that replace each other and so may be stored twice. Servers differ in which setting
/// has them forgo tokens, which they make of the rows where they get none.
pub(crate) fn token_of_its_own() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn further_tokens_are_the_same_for_everybody_and_none_on_a_cluster() {
        let of = |cluster: &str| {
            let (url, cluster) = ("http://localhost:8123".to_owned(), cluster.to_owned());
            let config = Config { url, cluster, ..Config::default() };
            tokens(&Store::connect(&config).expect("a sound configuration"), "a/b").collect::<Vec<_>>()
        };
        assert_eq!(of("")[..3], ["a/b", "a/b/again/1", "a/b/again/2"]);
        assert_eq!(of("").len(), 9);
        assert_eq!(of("main"), ["a/b"]);
    }
}
