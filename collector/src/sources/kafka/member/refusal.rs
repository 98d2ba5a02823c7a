//! What is said where brokers and collector do not take each other's word for who they are. The client library tells it by
//! options of its own and by numbers; whoever runs the collector knows neither.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::sources::kafka::config::Security;

/// How the library writes the number of what a broker says before it hangs up.
const ALERT: &str = "SSL alert number ";

/// Alerts of TLS (RFC 8446, section 6) that are about our certificate, each with what it means.
const OF_OUR_CERTIFICATE: [(u8, &str); 8] = [
    (41, "no certificate"),
    (42, "bad certificate"),
    (43, "unsupported certificate"),
    (44, "certificate revoked"),
    (45, "certificate expired"),
    (46, "certificate unknown"),
    (48, "unknown authority"),
    (116, "certificate required"),
];

/// How the library says, in any of its versions, that a broker's certificate is not trusted.
const NOT_TRUSTED: &str = "certificate verify failed";

/// Why there is no connection although a broker is there; `None` where it is only away.
pub fn refusal(error: &KafkaError, reason: &str, security: &Security) -> Option<String> {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code()? {
        // With TLS 1.3 a broker looks at a certificate after our side of the handshake is done.
        Code::BrokerTransportFailure | Code::SSL if alert(reason).is_some() => {
            let what = if security.cert_file.is_some() {
                "it does not accept the certificate in collector.kafka.security.cert_file: is that of an authority which \
                 the broker trusts, and still valid?"
            } else {
                "it wants a certificate: set collector.kafka.security.cert_file and key_file"
            };
            Some(format!("a broker of Kafka refuses the connection: {what} (it says: {})", alert(reason)?))
        }
        Code::SSL if reason.contains(NOT_TRUSTED) => Some(format!(
            "a broker of Kafka is not trusted: its certificate is of no authority in {}, or is another host's ({reason})",
            if security.ca_file.is_some() {
                "collector.kafka.security.ca_file"
            } else {
                "the system's list, and collector.kafka.security.ca_file is not set"
            }
        )),
        Code::Authentication | Code::SSL => {
            Some(format!("a broker of Kafka refuses the connection: {reason}"))
        }
        _ => None,
    }
}

/// What a broker says of our certificate.
fn alert(reason: &str) -> Option<&'static str> {
    let (_, rest) = reason.split_once(ALERT)?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let number: u8 = number.parse().ok()?;
    OF_OUR_CERTIFICATE.into_iter().find(|(known, _)| *known == number).map(|(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: RDKafkaErrorCode, reason: &str, security: &Security) -> Option<String> {
        refusal(&KafkaError::Global(code), reason, security)
    }

    fn with_certificate() -> Security {
        Security { cert_file: Some("own.pem".into()), ca_file: Some("ca.pem".into()), ..Security::default() }
    }

    #[test]
    fn a_certificate_that_is_missing_or_not_accepted_is_told_by_the_key_to_set() {
        // As librdkafka 2.12 wrote it when Kafka 4.0 was shown none.
        let reason = "ssl://localhost:34843/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad \
                      certificate: SSL alert number 42 (after 1ms in state APIVERSION_QUERY)";
        let code = RDKafkaErrorCode::BrokerTransportFailure;
        let missing = said(code, reason, &Security::default()).expect("a refusal");
        assert!(missing.contains("wants a certificate: set collector.kafka.security.cert_file"), "{missing}");
        let other = said(code, reason, &with_certificate()).expect("a refusal");
        assert!(other.contains("does not accept the certificate in") && other.contains("bad certificate"));
        let expired = said(code, "SSL alert number 45", &with_certificate()).expect("a refusal");
        assert!(expired.ends_with("(it says: certificate expired)"), "{expired}");
    }

    #[test]
    fn a_broker_of_an_unknown_authority_is_told_by_the_list_that_was_looked_at() {
        let reason = "ssl://k:9092/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify \
                      failed: broker certificate could not be verified";
        let of = |security: &Security| said(RDKafkaErrorCode::SSL, reason, security).expect("a refusal");
        assert!(of(&Security::default()).contains("collector.kafka.security.ca_file is not set"));
        assert!(of(&with_certificate()).contains("no authority in collector.kafka.security.ca_file,"));
    }

    #[test]
    fn a_broker_that_is_away_refuses_nothing() {
        let code = RDKafkaErrorCode::BrokerTransportFailure;
        for reason in ["Connect to ipv4#127.0.0.1:9092 failed: Connection refused", "SSL alert number 80"] {
            assert_eq!(said(code, reason, &with_certificate()), None);
        }
        assert_eq!(said(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down", &with_certificate()), None);
        let password = said(RDKafkaErrorCode::Authentication, "invalid credentials", &Security::default());
        assert_eq!(
            password.as_deref(),
            Some("a broker of Kafka refuses the connection: invalid credentials")
        );
    }
}
