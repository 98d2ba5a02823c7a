//! Mail over TLS of both kinds, with a login; and a server that has no room for a while.

use domain::delivery::State;
use domain::evaluation::Verdict;
use domain::incident::EventKind;
use tests::{Folder, MailServer, PASSWORD, Speech, USER};

use crate::post::{Harbour, temp};

fn secured(harbour: &Harbour, server: &MailServer, tls: &str, folder: &Folder, password: &str) -> String {
    let ca = folder.path().join("ca.pem");
    let secret = folder.path().join("password");
    std::fs::write(&ca, &server.ca).expect("written");
    std::fs::write(&secret, format!("{password}\n")).expect("written");
    harbour.config()
        + &format!(
            r#"
            [channels.safe]
            kind = "email"
            from = "leeway@example.com"
            to = ["ml@example.com"]
            host = "localhost"
            port = {port}
            tls = "{tls}"
            ca_file = "{ca}"
            user = "{USER}"
            password_file = "{secret}"

            [[routes]]
            channels = ["safe"]
            "#,
            port = server.port,
            ca = ca.display(),
            secret = secret.display(),
        )
}

#[tokio::test]
async fn mail_goes_over_tls_of_both_kinds_with_a_login() {
    for (tls, speech) in [("starttls", Speech::StartTls), ("tls", Speech::Tls)] {
        let harbour = Harbour::open().await;
        let server = MailServer::open(speech).await;
        let folder = Folder::new();
        let alerter = harbour.start_with(&secured(&harbour, &server, tls, &folder, PASSWORD));
        harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
        let done = harbour.delivery("safe", EventKind::Opened, State::Delivered).await;
        alerter.stop().await;
        assert_eq!((done.answer_code, done.target.as_str()), (250, "1 recipient by localhost"), "{tls}");
        assert_eq!(server.mails().len(), 1, "{tls}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_authority_are_failures_that_are_recorded() {
    let harbour = Harbour::open().await;
    let (server, folder) = (MailServer::open(Speech::StartTls).await, Folder::new());
    let alerter = harbour.start_with(&secured(&harbour, &server, "starttls", &folder, "wrong"));
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let failed = harbour.delivery("safe", EventKind::Opened, State::Failed).await;
    alerter.stop().await;
    assert_eq!(failed.answer_code, 535, "{failed:?}");

    let harbour = Harbour::open().await;
    let config = secured(&harbour, &server, "starttls", &folder, PASSWORD);
    let stranger = MailServer::open(Speech::StartTls).await;
    std::fs::write(folder.path().join("ca.pem"), &stranger.ca).expect("written");
    let alerter = harbour.start_with(&config);
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    harbour.delivery("safe", EventKind::Opened, State::Retrying).await;
    alerter.stop().await;
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn a_mail_server_without_room_gets_the_same_mail_again() {
    let harbour = Harbour::open().await;
    harbour.mail.refuse_next(2);
    let alerter = harbour.start();
    harbour.evaluate(temp(), Verdict::OffCourse, 2).await;
    let done = harbour.delivery("mail", EventKind::Opened, State::Delivered).await;
    alerter.stop().await;
    assert_eq!(done.attempt, 3);
    assert_eq!(harbour.mails(1).await.len(), 1);
}
