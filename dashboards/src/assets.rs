//! The style sheet and the script: part of the executable, at addresses that hold a hash of their content, so that a
//! browser keeps them for good and never shows a new page with an old style.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset { name: "leeway.css", kind: "text/css; charset=utf-8", content: include_str!("assets/leeway.css") },
    Asset {
        name: "leeway.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("assets/leeway.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", content: include_str!("assets/icon.svg") },
];

/// The first half of a hash over all assets: they change together.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = Sha256::new();
    ASSETS.iter().for_each(|asset| hasher.update(asset.content));
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// The address of an asset.
pub fn url(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

/// What an asset holds, for pages that are written to files.
pub fn content(name: &str) -> Option<&'static str> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| asset.content)
}

/// `GET /assets/{hash}/{name}`
pub async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // An address of another build gets this build's content, and is asked for again next time.
    let keep = if hash == *HASH { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, keep)], asset.content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_ask_nothing_of_other_hosts() {
        for asset in &ASSETS {
            let content = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(!content.contains("://"), "{}", asset.name);
            assert!(!content.contains("@import"), "{}", asset.name);
        }
    }

    #[test]
    fn every_address_names_an_asset() {
        assert!(url("leeway.css").starts_with("/assets/"));
        assert!(content("leeway.css").is_some() && content("leeway.gif").is_none());
    }
}
