//! People to write to, brought in by the import as an operator does it.

use crate::{Result, browser::Tab};
use playwright_rs::FilePayload;
use std::time::{SystemTime, UNIX_EPOCH};

/// The zone in which it is about noon now, so that quiet hours let messages through whenever the tests run.
pub fn zone_at_noon() -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let utc_hour = i64::try_from(since_1970.as_secs() / 3_600 % 24).unwrap_or_default();
    match 12 - utc_hour {
        0 => "Etc/GMT".to_owned(),
        // The sign of these names is that of POSIX: west of Greenwich is plus.
        ahead => format!("Etc/GMT{:+}", -ahead),
    }
}

/// So many people in a cohort, as a file: all in a zone where it is noon. Their numbers are fictional (555-01xx).
pub fn file(cohort: &str, count: usize) -> String {
    let zone = zone_at_noon();
    let row = |n: usize| format!("Person {n:02},+1404555{:04},{zone},{cohort}\n", 100 + n);
    let rows: String = (0..count).map(row).collect();
    format!("name,phone,timezone,cohort\n{rows}")
}

/// Uploads a file by the import page's own control.
pub async fn upload(tab: &Tab, name: &str, text: &str) -> Result {
    tab.go("Import").await?;
    let file = FilePayload::new(name, "text/csv", text.as_bytes().to_vec());
    tab.find("#file").set_input_files_payload(file, None).await?;
    tab.is_at("/import/[0-9a-f-]{36}$").await?;
    tab.shows_page(name).await
}

/// Brings in a file whose columns are recognised, and says how its people agreed to both channels.
pub async fn import(tab: &Tab, name: &str, text: &str) -> Result {
    upload(tab, name, text).await?;
    tab.fill("#sms_evidence", "Asked at the counter, list of 3 March").await?;
    tab.fill("#whatsapp_evidence", "Asked at the counter, list of 3 March").await?;
    go_in(tab).await
}

/// Lets the open file be checked, and then applied.
pub async fn go_in(tab: &Tab) -> Result {
    tab.press("Check the file").await?;
    tab.mentions(&tab.find("#content .badge").first(), "Checked").await?;
    // Made by counting up, as lists are that were bought: someone must say that it was not.
    let doubt = tab.find("#confirmed");
    if doubt.count().await? > 0 {
        doubt.check(None).await?;
    }
    tab.find("button:has-text('Apply')").click(None).await?;
    completed(tab).await
}

/// Waits until the open import has ended well.
pub async fn completed(tab: &Tab) -> Result {
    tab.mentions(&tab.find("#content .badge").first(), "Completed").await
}
