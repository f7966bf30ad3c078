use serde_json::{Value, json};

use crate::support::{Server, run, write};

/// A small shop with every quirk of the real file. The figures below are worked out by hand.
const INVOICES: &str = "\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,85123A,HEART,10,2010-12-01 08:26:00,2.55,100,United Kingdom
1,85123A,HEART,2,2010-12-01 08:26:00,3.00,100,United Kingdom
1,POST,POSTAGE,1,2010-12-01 08:27:00,18.00,100,United Kingdom
2,85123a,\"HEART, SMALL\",5,2010-12-01 09:00:00,2.55,100,United Kingdom
2,PADS,PADS,1,2010-12-01 09:00:00,0.001,100,United Kingdom
C3,85123A,HEART,-4,2010-12-01 10:00:00,2.55,100,United Kingdom
C3,D,Discount,-1,2010-12-01 10:00:00,5.00,100,United Kingdom
15,22424,CAKE CASES,7,2010-12-01 11:00:00,1.50,300,France
C16,22424,CAKE CASES,-7,2010-12-01 11:12:00,1.50,300,France
5,85123A,HEART,8,2010-12-02 08:00:00,4.00,200,France
6,85123A,,10,2010-12-02 08:01:00,4.50,200,France
7,22423,CAKESTAND,5,2010-12-02 09:00:00,2.00,,United Kingdom
7,22423,CAKESTAND,5,2010-12-02 09:00:00,2.00,,United Kingdom
8,22423,CAKESTAND,1,2010-12-02 09:01:00,2.00,,United Kingdom
9,85123A,lost in warehouse,-1,2010-12-02 10:00:00,0,,United Kingdom
10,85123A,damages,-5,2010-12-02 10:01:00,0,,United Kingdom
C11,85123A,HEART,-100,2010-12-02 11:00:00,2.55,100,United Kingdom
C12,22423,CAKESTAND,-2,2010-12-02 12:00:00,2.00,,United Kingdom
A13,B,Adjust bad debt,1,2010-12-02 13:00:00,-11062.06,,United Kingdom
14,M,Manual,1,2010-12-02 14:00:00,0,200,France
";

fn figures(args: &[&str], name: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(name), INVOICES);
    let mut all = vec!["replay", name, "--output", "json"];
    all.extend(args);
    let mut figures = run(folder.path(), &all).succeeded().json();
    for time in ["seconds", "orders_per_second", "read_seconds", "check_seconds"] {
        assert!(figures.as_object_mut().unwrap().remove(time).unwrap().is_number(), "{time}");
    }
    let audited = figures.as_object_mut().unwrap().remove("audited_events").unwrap();
    assert_eq!(audited.is_u64(), !args.contains(&"--url"), "a server cannot be asked for an audit");
    figures
}

#[test]
fn every_quirk_comes_to_the_figures_worked_out_by_hand() {
    let expected = json!({
        "invoices": 15, "lines": 20,
        // Five goods would be four: two codes differ by case. POST, PADS, D, B, M, and the price difference.
        "products": 10,
        // All but invoice 8: of 11 cakestands asked for, 10 were there, and 7 came first.
        "orders_placed": 6, "orders_refused": 1, "orders_paid": 6,
        // Invoice 15, minutes after it was placed. Invoice 14 has nothing to order.
        "orders_cancelled": 1, "orders_empty": 1,
        // One each; invoice 1 has postage and a price difference, invoice 6 a price difference.
        "order_lines": 9,
        "units_sold": 12 + 5 + 7 + 8 + 10 + 10,
        // C3 and C16 on the same day; C11 a day later takes the 8 that are left of invoice 1.
        "units_cancelled": 4 + 7, "units_returned": 8,
        // 49.50 + 12.75 + 10.50 + 32.00 + 45.00 + 20.00
        "revenue": "169.75",
        // 4 at 2.55, then 6 at 2.55 and 2 at 3.00, and invoice 15.
        "refunded": "42.00",
        "cancellations": 4, "unmatched_returns": 2, "unmatched_units": 92 + 2, "credits": "5.00",
        // One unit was free when the first came, none for the second.
        "write_offs": 1, "write_offs_refused": 1, "units_written_off": 1,
        "bad_debts": 1, "rows_ignored": 1, "rows_rounded": 1,
        "oversold": 0, "invariant_violations": 0,
    });
    assert_eq!(figures(&[], "invoices.csv"), expected);
    assert_eq!(figures(&[], "again.csv.gz"), expected, "and the same again, out of a gzip");
}

#[test]
fn through_a_server_the_figures_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--data-dir", "data"]);
    assert_eq!(figures(&["--url", &server.url], "i.csv"), figures(&[], "i.csv"));
    write(&folder.path().join("i.csv"), INVOICES);
    let again = run(folder.path(), &["replay", "i.csv", "--url", &server.url]);
    again.refused(1, &["sku_taken", "use an empty server"]);
    assert_eq!(server.terminate().0, Some(0));
    run(folder.path(), &["verify", "data"]).succeeded();
    run(folder.path(), &["replay", "i.csv", "--url", "shop"]).refused(2, &["http://"]);
    run(folder.path(), &["replay", "i.csv", "--url", &server_gone()]).refused(1, &["/v1/"]);
}

/// An address where nobody listens any more.
fn server_gone() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn with_stock_for_all_nothing_is_refused_and_without_any_nothing_is_sold() {
    let all = figures(&["--stock-factor", "2"], "i.csv");
    assert_eq!((&all["orders_refused"], &all["write_offs_refused"]), (&json!(0), &json!(0)));
    let none = figures(&["--stock-factor", "0"], "i.csv");
    assert_eq!((&none["orders_placed"], &none["orders_refused"]), (&json!(0), &json!(7)));
    assert_eq!(figures(&["--limit", "2"], "i.csv")["lines"], json!(5));
}

#[test]
fn the_data_is_kept_where_it_is_asked_for_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("i.csv"), INVOICES);
    let replay = ["replay", "i.csv", "--data-dir", "data"];
    let text = run(folder.path(), &replay).succeeded().out;
    assert!(text.contains("6 placed, 1 refused") && text.contains("£169.75"), "{text}");
    run(folder.path(), &["verify", "data"]).succeeded();
    run(folder.path(), &replay).refused(1, &["products already"]);
}

#[test]
fn a_file_that_cannot_be_understood_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let bad = INVOICES.replace("8,22423,CAKESTAND,1,", "8,22423,CAKESTAND,one,");
    write(&folder.path().join("bad.csv"), &bad);
    run(folder.path(), &["replay", "bad.csv"]).refused(1, &["bad.csv:15: Quantity is \"one\""]);
    write(&folder.path().join("other.csv"), "a,b\n1,2\n");
    run(folder.path(), &["replay", "other.csv"]).refused(1, &["other.csv:1", "InvoiceNo"]);
    run(folder.path(), &["replay", "absent.csv"]).refused(1, &["absent.csv"]);
    run(folder.path(), &["replay", "bad.csv", "--stock-factor", "much"]).refused(2, &["decimal"]);
}
