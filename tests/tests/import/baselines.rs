//! Baselines of windows, versions and files.

use collector::baseline::{Request, of_file, of_stored};
use collector::import::Plan;
use domain::baseline::INITIAL;
use domain::grid::Bin;
use domain::time::Interval;
use sql::Store;
use sql::baselines::BySignal;
use sql::counts::{Question, Resolution};

use super::system::{MODEL, config, context, csv, csv_mapping, import};

fn request(window: Option<&str>, version: &str) -> Request {
    Request {
        model: MODEL.to_owned(),
        environment: "production".to_owned(),
        name: INITIAL.to_owned(),
        window: window.map(|text| text.parse().expect("a window")),
        version: version.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_baseline_of_a_window_is_the_sum_of_its_minutes_with_the_means_of_its_bins() {
    let store = tests::fresh_store().await;
    let context = context();
    import(Plan::new(csv(3_000), MODEL, csv_mapping()), &store).await.expect("imported");
    // Whole hours, which are read by the hour, and others, which are read by the minute.
    let windows =
        ["2026-01-01T00:00:00Z..2026-01-02T00:00:00Z", "2026-01-01T03:30:00Z..2026-01-02T04:15:00Z"];
    for window in windows {
        let (baseline, made) = of_stored(&request(Some(window), ""), &context, &store).await.expect("made");
        store.write_baseline(&baseline, &made).await.expect("stored");
        let read = store.baseline_counts(&baseline).await.expect("read");
        assert_eq!(read, made, "a baseline reads back as it was made");
        assert_eq!(baseline.events, baseline.window.length().as_secs() / 60);
        minutes_add_up(&store, baseline.window, &made).await;
        let temp = &made[&(String::new(), "feature.temp".to_owned())];
        // Temperatures 0, 0.5 … 29.5 have a bin each, so the mean of a bin is its value.
        assert_eq!(temp.means.len(), 60);
        assert_eq!(temp.moments.n, baseline.events);
        let (at_ten, _) = temp.means.iter().find(|(_, mean)| **mean == 10.0).expect("a bin for 10");
        // It is 10 degrees in minute 20 of every hour; rows that end in 0 have the score 0.
        assert!(temp.mean_predictions[at_ten].abs() < 1e-12);
    }
    let listed = store.baselines(Some(MODEL)).await.expect("listed");
    assert_eq!(listed.len(), 1, "a later baseline of a name replaces an earlier one");
}

async fn minutes_add_up(store: &Store, window: Interval, made: &BySignal) {
    let question = Question {
        model: MODEL.to_owned(),
        environment: "production".to_owned(),
        interval: window,
        resolution: Resolution::Minutes,
        segments: Vec::new(),
        signals: Vec::new(),
        step_s: 0,
    };
    let series = store.counts(&question).await.expect("counts");
    assert_eq!(series.len(), made.len());
    assert_eq!(made.len(), 9, "three signals in all events and at two airports");
    for series in series {
        let counted = &made[&(series.segment.clone(), series.signal.clone())].counts;
        let bins: Vec<(Bin, u64)> = series.points.iter().map(|point| (point.bin, point.n)).collect();
        assert_eq!(counted.iter().collect::<Vec<_>>(), bins, "{} {}", series.segment, series.signal);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_baseline_of_a_version_has_only_its_events() {
    let store = tests::fresh_store().await;
    let context = context();
    let mut mapping = csv_mapping();
    for (version, rows) in [("1", 600), ("2", 900)] {
        mapping.version = Some(version.to_owned());
        import(Plan::new(csv(rows), MODEL, mapping.clone()), &store).await.expect("imported");
    }
    let (baseline, _) = of_stored(&request(None, "2"), &context, &store).await.expect("made");
    assert_eq!((baseline.events, baseline.source.as_str()), (900, "version 2"));
    assert_eq!(baseline.window.to_string(), "2026-01-01T00:00:00Z..2026-01-01T15:00:00Z");
    let missing = of_stored(&request(None, "3"), &context, &store).await.expect_err("no such version");
    assert!(missing.to_string().contains("of version 3"), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_baseline_of_a_file_is_that_of_the_same_events_imported() {
    let store = tests::fresh_store().await;
    let context = context();
    let plan = || Plan::new(csv(2_000), MODEL, csv_mapping());
    let made = of_file(plan(), "production", "training", &config(), &context, &store).await;
    let (of_file, counted) = made.expect("made");
    assert_eq!(tests::text(&store, "SELECT count() FROM predictions").await, "0");
    import(plan(), &store).await.expect("imported");
    let window = request(Some("2026-01-01..2026-01-04"), "");
    let (of_window, summed) = of_stored(&window, &context, &store).await.expect("made");
    assert_eq!(of_file.events, of_window.events);
    assert_eq!(counted.keys().collect::<Vec<_>>(), summed.keys().collect::<Vec<_>>());
    for (key, one) in &counted {
        let other = &summed[key];
        assert_eq!((one.grid, &one.counts), (other.grid, &other.counts), "{key:?}");
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + a.abs());
        assert!(one.moments.n == other.moments.n && near(one.moments.sum, other.moments.sum), "{key:?}");
        let both = [(&one.means, &other.means), (&one.mean_predictions, &other.mean_predictions)];
        for (means, others) in both {
            assert_eq!(means.keys().collect::<Vec<_>>(), others.keys().collect::<Vec<_>>(), "{key:?}");
            assert!(means.values().zip(others.values()).all(|(a, b)| near(*a, *b)), "{key:?}");
        }
    }
}
