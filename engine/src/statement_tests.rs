#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

use super::*;

fn insert_parts(text: &str) -> (&str, Option<String>, &str) {
    match read(text.as_bytes()).unwrap() {
        Kind::Insert { head_end, format, data_start } => (&text[..head_end], format, &text[data_start..]),
        kind => panic!("{text:?} is {kind:?}"),
    }
}

fn format(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn an_insert_is_split_at_its_format_clause() {
    assert_eq!(
        insert_parts("INSERT INTO t(a, b) FORMAT RowBinary"),
        ("INSERT INTO t(a, b) ", format("RowBinary"), "")
    );
    assert_eq!(
        insert_parts("insert into t settings x = 'FORMAT CSV', y=1 format CSV\r\n1,2\n"),
        ("insert into t settings x = 'FORMAT CSV', y=1 ", format("CSV"), "1,2\n")
    );
    assert_eq!(
        insert_parts("INSERT INTO t -- FORMAT JSON\n /* FORMAT TSV */ FORMAT\nCSV\n1;2"),
        ("INSERT INTO t -- FORMAT JSON\n /* FORMAT TSV */ ", format("CSV"), "1;2")
    );
}

#[test]
fn data_begins_behind_blanks_and_one_line_break() {
    assert_eq!(insert_parts("INSERT INTO t FORMAT TSV  \n\n1").2, "\n1");
    assert_eq!(insert_parts("INSERT INTO t FORMAT JSONEachRow {\"a\":1}").2, "{\"a\":1}");
}

#[test]
fn names_that_look_like_words_of_the_language_are_names() {
    assert_eq!(insert_parts("INSERT INTO format (values) FORMAT CSV\n1").1, format("CSV"));
    assert_eq!(insert_parts("INSERT INTO d.values FORMAT CSV\n1").1, format("CSV"));
    assert_eq!(insert_parts("INSERT INTO `a FORMAT b` (\"FORMAT\") FORMAT CSV\n1").1, format("CSV"));
}

#[test]
fn values_are_data_and_a_select_is_not() {
    assert_eq!(
        insert_parts("INSERT INTO t (a) VALUES (1), (';')"),
        ("INSERT INTO t (a) ", format("Values"), " (1), (';')")
    );
    assert_eq!(insert_parts("INSERT INTO t"), ("INSERT INTO t", None, ""));
    assert_eq!(read(b"INSERT INTO t SELECT 1").unwrap(), Kind::Other { format: None });
    assert_eq!(read(b"INSERT INTO t (SELECT 1 AS a)").unwrap(), Kind::Other { format: None });
    assert_eq!(read(b"INSERT INTO t WITH 1 AS x SELECT x").unwrap(), Kind::Other { format: None });
    assert_eq!(read(b"WITH 1 AS x INSERT INTO t SELECT x").unwrap(), Kind::Other { format: None });
}

#[test]
fn binary_data_behind_the_format_is_not_read() {
    let text = b"INSERT INTO t FORMAT RowBinary\n\xff\xfe';;'select";
    let Kind::Insert { data_start, .. } = read(text).unwrap() else { panic!("not an insert") };
    assert_eq!(&text[data_start..], b"\xff\xfe';;'select");
}

#[test]
fn a_select_says_its_format_and_whether_it_can_be_cut() {
    let select = |format, whole| Kind::Select { format, whole };
    assert_eq!(read(b"select 1").unwrap(), select(None, false));
    assert_eq!(
        read(b"-- c\n(select 1) format JSON settings max_threads=1;").unwrap(),
        select(format("JSON"), false)
    );
    assert_eq!(read(b"with 1 as x select x, 'format CSV', $a$ format TSV $a$").unwrap(), select(None, false));
    assert_eq!(read(b"select a, count() from t group by a with totals").unwrap(), select(None, true));
    assert_eq!(read(b"SHOW TABLES FORMAT CSV").unwrap(), Kind::Other { format: format("CSV") });
}

#[test]
fn several_statements_and_client_files_are_refused() {
    let code = |text: &str| read(text.as_bytes()).unwrap_err().code();
    assert_eq!(code("select 1; select 2"), 62);
    assert_eq!(code("drop table a; drop table b"), 62);
    assert_eq!(code("  -- nothing\n"), 62);
    assert_eq!(code("select 1 into outfile 'x'"), 48);
    assert_eq!(code("insert into t from infile 'x' format CSV"), 48);
    assert!(read(b"select ';' as a; -- the end\n;").is_ok());
}

#[test]
fn broken_texts_end_somewhere() {
    for text in [
        "'",
        "'a\\",
        "select \"",
        "/*",
        "$a",
        "$a$",
        "insert",
        "insert into t format",
        "select 1 format",
        "\\",
    ] {
        let _ = read(text.as_bytes());
    }
}
