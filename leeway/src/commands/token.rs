//! `leeway token`: a new token, which is shown once, and the hash that stands for it in the configuration.

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who will have it, for logs and changes.
    #[arg(long, default_value = "program")]
    name: String,
    /// What it allows: ingest, predictions, outcomes, read, act, admin; may be repeated.
    #[arg(long = "scope", default_value = "ingest", value_parser = ["ingest", "predictions", "outcomes", "read", "act", "admin"])]
    scopes: Vec<String>,
    /// A model that it is for; may be repeated. All where none is named.
    #[arg(long = "model")]
    models: Vec<String>,
}

/// Prints the token and the section of the configuration that knows it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (token, hash) = service::token::fresh();
    let list = |items: &[String]| {
        let quoted: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
        format!("[{}]", quoted.join(", "))
    };
    println!("# The token, shown once; give it to {}:", args.name);
    println!("#   {}", token.expose());
    println!("[[collector.tokens]]");
    println!("name = {:?}", args.name);
    println!("hash = \"{hash}\"");
    println!("scopes = {}", list(&args.scopes));
    if !args.models.is_empty() {
        println!("models = {}", list(&args.models));
    }
    Ok(())
}
