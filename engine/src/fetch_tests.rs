use std::io::Write;

use super::*;

fn package(integrity: &'static str) -> Package {
    Package { platform: ("linux", "x86_64"), name: "@chdb/lib-linux-x64-gnu", integrity, packed_bytes: 1 }
}

fn archive(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join("package.tgz");
    let gzip =
        flate2::write::GzEncoder::new(File::create(&path).expect("a file"), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append_data(&mut header, name, &b"code"[..]).expect("an entry");
    builder.into_inner().expect("a tar").finish().expect("a gzip").flush().expect("a file");
    path
}

#[test]
fn the_library_is_taken_out_of_the_package() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = archive(folder.path(), "package/libchdb.so");
    let library = unpack(&package(""), &packed, folder.path()).expect("it is there");
    assert_eq!(std::fs::read(library).expect("a file"), b"code");
}

#[test]
fn a_package_without_the_library_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = archive(folder.path(), "package/index.js");
    let error = unpack(&package(""), &packed, folder.path()).expect_err("it is not there");
    assert!(error.to_string().contains("does not contain libchdb.so"), "{error}");
}

#[test]
fn another_integrity_value_is_refused_with_both_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = archive(folder.path(), "package/libchdb.so");
    let error = check(&package("sha512-pinned"), &packed).expect_err("it differs").to_string();
    assert!(error.contains("sha512-pinned") && error.contains("not used"), "{error}");
}

#[test]
fn what_npm_says_is_in_the_error_and_a_full_disk_is_named() {
    let said = "npm error code E404\nnpm error 404 Not Found\n";
    let error = download_error(&package(""), Path::new("/w"), said).to_string();
    assert!(error.contains("E404") && error.contains("clickhouse.url"), "{error}");
    let full = download_error(&package(""), Path::new("/w"), "npm error code ENOSPC\n");
    assert!(matches!(full, EngineError::DiskFull { .. }));
}

/// A stand-in for npm that leaves a package where the real one would, and notes that it was asked.
fn npm_that_packs(folder: &Path, archive: &Path) -> PathBuf {
    let script = folder.join("npm");
    let log = folder.join("asked");
    let text = format!(
        "#!/bin/sh\necho \"$@\" >> {}\nwhile [ \"$1\" != --pack-destination ]; do shift; done\ncp {} \"$2\"/\n",
        log.display(),
        archive.display()
    );
    std::fs::write(&script, text).expect("a script");
    let mut permissions = std::fs::metadata(&script).expect("a script").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&script, permissions).expect("an executable script");
    script
}

fn integrity_of(archive: &Path) -> &'static str {
    let digest = Sha512::digest(std::fs::read(archive).expect("a file"));
    format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(digest)).leak()
}

#[test]
fn without_npm_all_three_ways_out_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error =
        fetch_into(folder.path(), &package(""), &folder.path().join("no-npm")).expect_err("there is none");
    let message = error.to_string();
    for way in ["install libchdb", "install npm", "`clickhouse.url`"] {
        assert!(message.contains(way), "{way} is missing in: {message}");
    }
    assert!(!folder.path().join(FILE_NAME).exists());
}

#[test]
fn a_package_of_another_content_leaves_nothing_in_the_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let npm = npm_that_packs(folder.path(), &archive(folder.path(), "package/libchdb.so"));
    let error = fetch_into(&cache, &package("sha512-pinned"), &npm).expect_err("it differs");
    assert!(matches!(error, EngineError::Integrity { .. }), "{error}");
    let left: Vec<_> =
        std::fs::read_dir(&cache).expect("the cache").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["fetch.lock"]);
}

#[test]
fn two_that_fetch_at_once_download_once_and_both_have_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let packed = archive(folder.path(), "package/libchdb.so");
    let npm = npm_that_packs(folder.path(), &packed);
    let pinned = package(integrity_of(&packed));
    std::thread::scope(|scope| {
        let fetching = [(); 2].map(|()| scope.spawn(|| fetch_into(&cache, &pinned, &npm)));
        for fetched in fetching {
            let library = fetched.join().expect("no panic").expect("fetched");
            assert_eq!(std::fs::read(library).expect("a file"), b"code");
        }
    });
    let asked = std::fs::read_to_string(folder.path().join("asked")).expect("npm was asked");
    assert_eq!(asked.lines().count(), 1, "{asked}");
    assert!(asked.starts_with(&format!("pack @chdb/lib-linux-x64-gnu@{VERSION} --json")), "{asked}");
}
