//! The crate `sql` against the real engine.

#[tokio::test]
async fn a_fresh_store_answers() {
    let store = tests::fresh_store().await;
    assert_eq!(tests::text(&store, "SELECT 1").await, "1");
}
