#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

use super::*;

fn read(query: &str) -> Wishes {
    Wishes::read(query, &HeaderMap::new()).unwrap()
}

fn allowed() -> Credentials {
    Credentials { user: "leeway".to_owned(), password: "secret".to_owned() }
}

#[test]
fn parameters_settings_and_the_rest_are_told_apart() {
    let wishes = read(
        "query=SELECT%201&param_x=a%5Ctb&max_threads=2&database=d&default_format=JSON&query_id=q&buffer_size=9",
    );
    assert_eq!(wishes.query, "SELECT 1");
    // Escapes in values are those of TSV; the engine takes them off, as it does over its own HTTP interface.
    assert_eq!(wishes.params, [("x".to_owned(), "a\\tb".to_owned())]);
    assert_eq!(wishes.settings, [("max_threads".to_owned(), "2".to_owned())]);
    assert_eq!((wishes.database.as_deref(), wishes.default_format.as_deref()), (Some("d"), Some("JSON")));
    assert_eq!(wishes.query_id.as_deref(), Some("q"));
}

#[test]
fn compression_is_refused_in_words_and_its_absence_is_not() {
    let error = Wishes::read("compress=1", &HeaderMap::new()).unwrap_err();
    assert_eq!((error.code(), error.status()), (48, 501));
    assert!(Wishes::read("compress=0&decompress=0", &HeaderMap::new()).is_ok());
}

#[test]
fn a_setting_is_a_name_and_its_value_a_quoted_text() {
    assert_eq!(Wishes::read("a%3D1,b=2", &HeaderMap::new()).unwrap_err().code(), 115);
    let settings = [("a", "1"), ("b", "it's \\ here")];
    assert_eq!(set_statement(settings.into_iter()).as_deref(), Some("SET a = '1', b = 'it\\'s \\\\ here'"));
    assert_eq!(set_statement([].into_iter()), None);
    assert_eq!(quoted_name("a`b"), "`a\\`b`");
}

#[test]
fn a_session_keeps_its_time_within_bounds() {
    let session = read("session_id=s&session_timeout=100000&session_check=1").session;
    let wanted = SessionWish { id: "s".to_owned(), timeout: Duration::from_secs(3600), must_exist: true };
    assert_eq!(session, Some(wanted));
    assert_eq!(read("session_timeout=5").session(), None);
    assert!(Wishes::read("session_timeout=soon", &HeaderMap::new()).is_err());
}

#[test]
fn the_user_is_taken_from_the_url_the_headers_or_basic_authorization() {
    assert_eq!(read("").check(&allowed()).unwrap_err().status(), 401);
    assert_eq!(read("user=leeway").check(&allowed()).unwrap_err().code(), 516);
    assert_eq!(read("user=leeway&password=wrong").check(&allowed()).unwrap_err().status(), 403);
    assert!(read("user=leeway&password=secret").check(&allowed()).is_ok());
    let mut headers = HeaderMap::new();
    headers.insert("X-ClickHouse-User", "leeway".parse().unwrap());
    headers.insert("X-ClickHouse-Key", "secret".parse().unwrap());
    assert!(Wishes::read("", &headers).unwrap().check(&allowed()).is_ok());
    let mut headers = HeaderMap::new();
    headers.insert("Authorization", "Basic bGVld2F5OnNlY3JldA==".parse().unwrap());
    assert!(Wishes::read("", &headers).unwrap().check(&allowed()).is_ok());
}
