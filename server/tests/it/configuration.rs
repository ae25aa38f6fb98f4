//! What is wrong with the configuration is said by the variable's name.

use crate::process::config;

fn refused(options: &[&str], expected: &[&str]) {
    let error = format!("{:#}", config(options).expect_err(&options.join(" ")));
    for part in expected {
        assert!(error.contains(part), "{options:?} says {error:?}, without {part:?}");
    }
}

const ACCOUNT: &str = "AC00000000000000000000000000000001";

#[test]
fn errors_name_the_variable() {
    refused(&["--database-url", "mysql://x"], &["DATABASE_URL"]);
    refused(&["--database-url", "sqlite::memory:"], &["DATABASE_URL"]);
    refused(&["--redis-url", "redis://localhost"], &["REDIS_URL", "SQLite"]);
    refused(&["--public-url", "http://example.org"], &["PUBLIC_URL", "https"]);
    refused(&["--public-url", "https://my_host.example"], &["PUBLIC_URL", "underscore"]);
    refused(&["--public-url", "https://example.org/ese"], &["PUBLIC_URL"]);
    refused(&["--public-url", "nonsense"], &["PUBLIC_URL"]);
    refused(&["--listen", "192.0.2.7:80"], &["PUBLIC_URL"]);
    refused(&["--listen", "nonsense"], &["LISTEN"]);
    refused(&["--lease-ms", "29999"], &["LEASE_MS", "SEND_TIMEOUT_MS"]);
    refused(&["--claim-rows", "0"], &["CLAIM_ROWS"]);
    refused(&["--in-flight", "0"], &["IN_FLIGHT"]);
    refused(&["--database-connections", "1"], &["DATABASE_CONNECTIONS"]);
    refused(&["--sms-senders", "+12025550100"], &["SMS_SENDERS"]);
    refused(&["--sms-senders", "+12025550100=0"], &["SMS_SENDERS"]);
    refused(&["--trusted-proxies", "proxy"], &["TRUSTED_PROXIES"]);
    refused(&["--environment", "production"], &["SIMULATOR", "production"]);
    refused(&["--simulator", "off"], &["TWILIO_ACCOUNT_SID"]);
    refused(&["--twilio-auth-token", "t"], &["TWILIO_ACCOUNT_SID"]);
    refused(&["--twilio-account-sid", "AC1", "--twilio-auth-token", "t"], &["TWILIO_ACCOUNT_SID"]);
    refused(&["--twilio-account-sid", ACCOUNT], &["TWILIO_AUTH_TOKEN"]);
    let key = ["--twilio-account-sid", ACCOUNT, "--twilio-auth-token", "t", "--twilio-api-key", "SK1"];
    refused(&key, &["TWILIO_API_SECRET"]);
}

#[test]
fn what_holds_together_is_taken() {
    let real = ["--twilio-account-sid", ACCOUNT, "--twilio-auth-token", "hunter2", "--environment", "production"];
    let config = config(&real).unwrap();
    assert!(config.is_real());
    let printed = format!("{config:?}");
    assert!(printed.contains("***") && !printed.contains("hunter2"), "{printed}");
    for options in [&["--public-url", "https://ese.example"][..], &["--public-url", "http://localhost:3000"], &[]] {
        crate::process::config(options).unwrap();
    }
}
