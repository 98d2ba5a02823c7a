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
