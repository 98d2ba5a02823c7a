//! Writes the pages to HTML files from invented rows, so that they can be looked at without a store:
//! `cargo run -p dashboards --example gallery -- FOLDER`.

mod fixtures;

use std::path::{Path, PathBuf};

use anyhow::Context;
use dashboards::assets;

fn main() -> anyhow::Result<()> {
    let folder =
        std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("leeway-gallery"), PathBuf::from);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for name in ["leeway.css", "leeway.js", "icon.svg"] {
        write(&folder, name, assets::content(name).unwrap_or_default())?;
    }
    for (name, html) in fixtures::pages()? {
        // Files have no root that `/assets/…` could mean.
        let html = ["leeway.css", "leeway.js", "icon.svg"]
            .iter()
            .fold(html, |html, asset| html.replace(&assets::url(asset), asset));
        write(&folder, &format!("{name}.html"), &html)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, content: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}
