//! What may be wrong with how a page looks and feels: cut text, contrast, names of controls, the
//! keyboard; by our own measure, and by axe-core's where it is installed.

use crate::browser::Browser;
use crate::harness::left_out;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What is wrong with what is on the glass: text that is cut or leaves the glass, text whose contrast
/// is below AA, controls without a name or lower than a finger.
const FAULTS: &str = r#"
const faults = [];
const seen = (e) => { const r = e.getBoundingClientRect(); return r.width > 1 && r.height > 1 && getComputedStyle(e).visibility !== 'hidden'; };
const rgb = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m.slice(0, 3); };
const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c) return c; } return [255, 255, 255]; };
const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
for (const e of document.querySelectorAll('body *')) {
  if (!seen(e)) continue;
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own) continue;
  const r = e.getBoundingClientRect(), s = getComputedStyle(e), text = e.textContent.trim().slice(0, 40);
  if (r.left < -1 || r.right > innerWidth + 1) faults.push('leaves the glass: ' + text);
  if (s.overflow !== 'visible' && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)) faults.push('cut: ' + text);
  const size = parseFloat(s.fontSize), large = size >= 24 || (size >= 18.66 && parseInt(s.fontWeight) >= 700);
  const c = contrast(rgb(s.color), ground(e));
  if (c < (large ? 3 : 4.5)) faults.push('contrast ' + c.toFixed(2) + ': ' + text);
}
for (const e of document.querySelectorAll('button, a, input, summary')) {
  if (!seen(e)) continue;
  const name = (e.getAttribute('aria-label') || e.textContent || (e.labels && e.labels[0] && e.labels[0].textContent) || '').trim();
  if (!name) faults.push('no name: ' + e.outerHTML.slice(0, 60));
  const r = (e.closest('label') ?? e).getBoundingClientRect();
  if (r.height < 34) faults.push('too low for a finger: ' + name);
}
if (document.documentElement.scrollWidth > innerWidth + 1) faults.push('the page is wider than the glass');
const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
if (new Set(ids).size !== ids.length) faults.push('an id twice');
return faults;
"#;

/// The tabulator reaches every control that is on the glass.
pub async fn all_reached(browser: &Browser, what: &str) {
    browser.ask("document.activeElement.blur(); window.reached = new Set()").await;
    let all = browser.ask("return [...document.querySelectorAll('button, a, input, summary')].filter(e => e.offsetParent).length").await;
    for _ in 0..all.as_u64().unwrap() + 2 {
        browser.tab();
        browser.ask("window.reached.add(document.activeElement)").await;
    }
    let unreached = browser
        .ask(
            "return [...document.querySelectorAll('button, a, input, summary')]\
             .filter(e => e.offsetParent && !window.reached.has(e)).map(e => e.outerHTML.slice(0, 80))",
        )
        .await;
    assert_eq!(unreached, Value::Array(vec![]), "{what}");
}

/// axe-core's script: where `SHOPGUIDE_AXE` says, or where npm puts it.
fn axe_script() -> Option<String> {
    let places = [
        std::env::var_os("SHOPGUIDE_AXE").map(PathBuf::from),
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules/axe-core/axe.min.js")),
        Some("/usr/local/lib/node_modules/axe-core/axe.min.js".into()),
        Some("/usr/lib/node_modules/axe-core/axe.min.js".into()),
    ];
    places.into_iter().flatten().find_map(|path| std::fs::read_to_string(path).ok())
}

/// What axe-core finds wrong; nothing where it is not there, which is said once.
async fn axe(browser: &Browser) -> Value {
    static SCRIPT: LazyLock<Option<String>> = LazyLock::new(|| {
        let script = axe_script();
        if script.is_none() {
            left_out("axe-core is not on this machine: npm install --prefix target/npm axe-core");
        }
        script
    });
    let Some(script) = &*SCRIPT else { return Value::Array(vec![]) };
    if browser.ask("return typeof axe").await != "object" {
        browser.ask(script).await;
    }
    let run = "const done = arguments[arguments.length - 1];\
        axe.run().then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 90)).join(' | '))),\
            e => done(['axe failed: ' + e]))";
    browser.client.execute_async(run, vec![]).await.unwrap()
}

/// Nothing is wrong with what is on the glass, by our own measure and by axe-core's.
pub async fn good(browser: &Browser, what: &str) {
    let none = Value::Array(vec![]);
    assert_eq!(browser.ask(FAULTS).await, none, "{what}");
    assert_eq!(axe(browser).await, none, "{what}");
}
