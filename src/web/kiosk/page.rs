//! The kiosk page's markup: every scene is in it, and its script shows one at a time. What is of a
//! person is filled in by the script and taken out again when the session ends.

use super::words;
use crate::display::KioskSettings;
use crate::privacy::consent;
use crate::profile::declared;
use crate::recommend::Language;
use crate::web::{AppState, assets, index};
use maud::{DOCTYPE, Markup, html};

/// The page of `kiosk` in `language`.
pub(super) fn page(kiosk: &KioskSettings, language: Language, app: &AppState) -> Markup {
    let w = |key: &'static str| words::say(language, key);
    let store = app.store.name.as_str();
    let title = kiosk.title.as_deref().unwrap_or(store);
    let age = kiosk.minimum_age.to_string();
    let seconds = kiosk.timeout.as_secs().to_string();
    let other = if language == Language::En { Language::Zh } else { Language::En };
    let text = if language == Language::En { consent::TEXT } else { consent::TEXT_ZH };
    let has_camera = kiosk.camera.is_some();
    html! {
        (DOCTYPE)
        html lang=(index::tag(language)) {
            head {
                (index::head(title, &["kiosk.css"]))
                script src=(assets::address("screen.js")) defer {}
                script src=(assets::address("kiosk.js")) defer {}
            }
            body.kiosk data-kiosk=(kiosk.id) data-version=(*assets::VERSION) data-camera=(has_camera)
                data-map=(!app.areas.is_empty()) data-most-facts=(declared::MOST)
                data-language=(if language == Language::En { "en" } else { "zh" })
                data-words=(words::all(language)) {
                header.top {
                    p.store { (store) }
                    button.quiet #home type="button" hidden { (w("home")) }
                    a.quiet #language hreflang=(index::tag(other)) lang=(index::tag(other))
                        href={ "?lang=" (if other == Language::En { "en" } else { "zh" }) } { (w("other-language")) }
                }
                main {
                    section.scene #idle aria-labelledby="idle-title" {
                        div.hero {
                            h1 #idle-title tabindex="-1" { (w("welcome")) }
                            p.lead { (w("invite")) }
                        }
                        div.choices {
                            button.choice.first #use-card type="button" {
                                strong { (w("use-card")) } span { (w("use-card-more")) }
                            }
                            @if has_camera {
                                button.choice #recognise type="button" {
                                    strong { (w("recognise")) } span { (w("recognise-more")) }
                                }
                            }
                            button.choice #join type="button" {
                                strong { (w("join")) } span { (w("join-more")) }
                            }
                        }
                        div.small-print {
                            @if has_camera { p { (w("notice")) } }
                            @if app.watched.contains(&kiosk.zone) { p { (w("notice-fixed")) } }
                            p { (w("timeout").replace("{n}", &seconds)) }
                        }
                    }
                    section.scene #card hidden aria-labelledby="card-title" {
                        h1 #card-title tabindex="-1" { (w("card-title")) }
                        p.lead { (w("card-hold")) }
                        div.columns {
                            form #card-form autocomplete="off" {
                                label for="card-code" { (w("card-number")) }
                                input #card-code type="text" inputmode="text" autocapitalize="characters"
                                    autocomplete="off" spellcheck="false" maxlength="64";
                                button.main type="submit" { (w("card-go")) }
                                p.problem #card-problem role="alert" {}
                            }
                            @if has_camera {
                                div.camera-side {
                                    button #card-camera type="button" { (w("card-camera")) }
                                    div.viewfinder #card-view hidden {}
                                }
                            }
                        }
                        p.actions { button.back type="button" { (w("back")) } }
                    }
                    section.scene #look hidden aria-labelledby="look-title" {
                        h1 #look-title tabindex="-1" { (w("look-title")) }
                        p.lead { (w("look-text")) }
                        div.viewfinder #look-view {}
                        p.hint #look-hint role="status" {}
                        p.actions {
                            button.back type="button" { (w("back")) }
                            button #look-card type="button" { (w("use-card")) }
                        }
                    }
                    section.scene #terms hidden aria-labelledby="terms-title" {
                        h1 #terms-title tabindex="-1" { (w("terms-title")) }
                        div.terms {
                            div { h2 { (w("terms-what")) } p { (w("terms-what-1")) } p { (w("terms-what-2")) } }
                            div { h2 { (w("terms-why")) } p { (w("terms-why-1")) } }
                            div { h2 { (w("terms-long")) }
                                p { (w("terms-long-1").replace("{n}", &app.keep_days.to_string())) } }
                            div { h2 { (w("terms-leave")) } p { (w("terms-leave-1")) } }
                        }
                        details { summary { (w("terms-text")) " · " (text.0) } p { (text.1) } }
                        p.declare {
                            input #old-enough type="checkbox";
                            label for="old-enough" { (w("terms-age").replace("{n}", &age)) }
                        }
                        p.problem #terms-problem role="alert" data-young=(w("too-young").replace("{n}", &age)) {}
                        p.actions {
                            button.back type="button" { (w("back")) }
                            button.main #agree-card type="button" { (w("agree-card")) }
                            @if has_camera { button.main #agree-face type="button" { (w("agree-face")) } }
                        }
                        p.note { (w("agree-same")) }
                    }
                    section.scene #joining hidden aria-labelledby="joining-title" {
                        h1 #joining-title tabindex="-1" { (w("join-title")) }
                        div.viewfinder #joining-view {}
                        ol.progress #progress aria-hidden="true" { li {} li {} li {} }
                        p.hint #joining-hint role="status" {}
                        p.note { (w("join-text")) }
                        p.actions { button.back type="button" { (w("back")) } }
                    }
                    section.scene #member hidden aria-labelledby="member-title" {
                        h1 #member-title tabindex="-1" {}
                        div.body #member-body {}
                        p.actions #member-actions {}
                    }
                }
                div.still #still role="alertdialog" aria-labelledby="still-text" aria-live="assertive" hidden {
                    p #still-text {}
                    button.main #still-yes type="button" { (w("still-yes")) }
                }
                p.away #away role="status" hidden { (w("away")) }
            }
        }
    }
}
