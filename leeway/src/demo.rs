//! `leeway demo`: the whole system on a year of real flights, with faults that happen before one's eyes.
//!
//! Reading order: [`flights`] is the data and [`scorer`] the model's stand-in; [`state`] is what is remembered between
//! starts and [`settings`] the configuration; [`history`] loads the year; [`live`] goes on sending and [`faults`] says
//! what breaks; [`smtp`] and [`outbox`] receive what Leeway sends.

mod faults;
mod flights;
mod history;
mod live;
pub mod outbox;
mod scorer;
mod settings;
pub mod smtp;
mod state;

use std::path::PathBuf;

use domain::time::Clock;
use service::Context;
use service::telemetry::Telemetry;
use sql::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::block_on;
use crate::config::Config;
use crate::system::{self, Role};
use live::Live;
use outbox::Outbox;
use scorer::Scorer;
use settings::Addresses;
use state::State;

/// The model's name.
pub const MODEL: &str = "flights";

const FOLDER: &str = "leeway-demo";
/// Live flights are drawn from so many of the file's last: about four weeks of them.
const RECENT_FLIGHTS: usize = 26_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pages' port on 127.0.0.1; the next four are used as well.
    #[arg(long, default_value_t = 4840)]
    port: u16,
    /// Break nothing: healthy flights only.
    #[arg(long)]
    no_faults: bool,
    /// Forget an earlier demonstration in the same folder, and load the year again.
    #[arg(long)]
    fresh: bool,
}

/// Sets everything up and runs until Ctrl-C.
pub fn start(args: Args, data: Option<PathBuf>) -> anyhow::Result<()> {
    let folder = data.unwrap_or_else(|| PathBuf::from(FOLDER));
    if args.fresh {
        if let Some(running) = engine::running(&folder) {
            anyhow::bail!(
                "a demonstration still runs in \"{}\" ({}); stop it first",
                folder.display(),
                running.url
            );
        }
        state::forget(&folder)?;
    }
    let state = State::open(&folder, &Clock::System)?;
    let mailbox = std::net::TcpListener::bind("127.0.0.1:0")?;
    mailbox.set_nonblocking(true)?;
    let addresses = Addresses::from_port(args.port, mailbox.local_addr()?);
    let config = settings::config(&folder, &addresses, &state, Clock::System.now())?;
    let telemetry = Telemetry::start(&config.telemetry, "demo")?;
    let demo = Demo { faults: !args.no_faults, config, addresses, state };
    let outcome = block_on(demo.run(mailbox, &telemetry));
    telemetry.finish();
    outcome
}

struct Demo {
    faults: bool,
    config: Config,
    addresses: Addresses,
    state: State,
}

impl Demo {
    async fn run(&self, mailbox: std::net::TcpListener, telemetry: &Telemetry) -> anyhow::Result<()> {
        let stopper = CancellationToken::new();
        service::stop::on_signals(stopper.clone())?;
        self.receive(mailbox, &stopper).await?;
        say("Starting the embedded ClickHouse");
        let opened = system::open_and_migrate(&self.config).await?;
        let context = system::context(&self.config, telemetry, stopper.clone());
        let outcome = self.load_and_go_on(&context, &opened.store, telemetry).await;
        stopper.cancel();
        let closed = opened.close().await;
        say("Everything has stopped; the same command goes on where this ended");
        outcome.and(closed)
    }

    /// Starts the mailbox, the webhook receiver and the PagerDuty stand-in.
    async fn receive(
        &self,
        mailbox: std::net::TcpListener,
        stopper: &CancellationToken,
    ) -> anyhow::Result<()> {
        let outbox = Outbox::new(Clock::System, self.state.webhook_secret.clone(), |message| {
            say(&format!("sent: {} {}", message.kind, message.title));
        });
        let mailbox = TcpListener::from_std(mailbox)?;
        let keep = outbox.clone();
        tokio::spawn(smtp::serve(mailbox, move |mail| keep.keep_mail(mail), stopper.clone()));
        let listener = service::http::listen(&self.addresses.outbox).await?;
        tokio::spawn(service::http::serve(listener, outbox.router(), stopper.clone()));
        Ok(())
    }

    async fn load_and_go_on(
        &self,
        context: &Context,
        store: &Store,
        telemetry: &Telemetry,
    ) -> anyhow::Result<()> {
        let load = history::load_year(&self.config, context, store, &self.state);
        let Some(loaded) = context.stopper.run_until_cancelled(load).await else { return Ok(()) };
        loaded?;
        let roles = system::run_roles(&Role::ALL, &self.config, context, store, telemetry);
        let live = self.go_on(&context.stopper);
        let (roles, live) = tokio::join!(roles, async {
            let outcome = live.await;
            context.stopper.cancel();
            outcome
        });
        roles.and(live)
    }

    /// Sends live flights until stopped, and tells where to look.
    async fn go_on(&self, stopper: &CancellationToken) -> anyhow::Result<()> {
        let flights =
            flights::read(flights::FILE, flights::count(flights::FILE)?.saturating_sub(RECENT_FLIGHTS))?;
        let live = Live {
            scorer: Scorer::learn(&flights),
            flights,
            faults: self.faults,
            collector: format!("http://{}", self.addresses.collector),
            clock: Clock::System,
        };
        if stopper.run_until_cancelled(live.until_ready()).await.is_some() {
            self.tell_where_to_look();
            live.run(stopper.clone(), |line| say(&line)).await;
        }
        Ok(())
    }

    fn tell_where_to_look(&self) {
        let Addresses { pages, outbox, collector, .. } = &self.addresses;
        println!();
        println!("  Pages       http://{pages}");
        println!("  What is sent  http://{outbox}   (mailbox, webhook receiver, PagerDuty stand-in)");
        println!("  Collector   http://{collector}   (POST /v1/predictions, /v1/outcomes)");
        println!("  SQL         leeway --data {} sql \"SELECT …\"", self.config.data_dir.display());
        println!();
        println!(
            "Look at the incidents: the winter's blizzard and the turn of the seasons are there already."
        );
        if self.faults {
            println!(
                "In a minute a sensor at {} fails; two minutes later its incident is on the first page.",
                faults::AIRPORT
            );
        }
        println!("Ctrl-C stops everything.");
        println!();
    }
}

/// A line for whoever watches the terminal.
fn say(line: &str) {
    let now = Clock::System.now().to_string();
    let clock = now.get(11..19).unwrap_or(&now);
    println!("{clock}Z {line}");
}
