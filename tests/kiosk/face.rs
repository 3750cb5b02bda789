//! Joining by face: three good frames, walking away, coming back, recognised; a stranger is nobody, and
//! nobody joins twice.

use super::{Scene, card_number, film, nothing_stays, press, until_kind, until_scene};

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_joins_by_face_walks_away_comes_back_and_is_recognised() {
    let scene = Scene::new("60 s");
    film::write(&scene.film, &[(film::shopper(0), 9.0)]);
    let Some(browser) = scene.open().await else { return };
    assert_eq!(
        browser.ask("return document.querySelectorAll('video').length").await,
        0,
        "a camera before any press"
    );
    browser.shot("kiosk-idle").await;

    // broken off: nothing is kept
    browser.click("#join").await;
    until_scene(&browser, "terms").await;
    browser.click("#agree-face").await;
    browser
        .until(
            "asked for the age",
            "return document.getElementById('terms-problem').textContent.includes('18')",
        )
        .await;
    browser.click("#old-enough").await;
    browser.shot("kiosk-terms").await;
    browser.click("#agree-face").await;
    until_scene(&browser, "joining").await;
    browser.until("a good frame", "return document.querySelectorAll('#progress .good').length > 0").await;
    browser.shot("kiosk-joining").await;
    browser.click("#joining .back").await;
    nothing_stays(&browser, &[]).await;
    assert!(
        scene.members().contains("no members"),
        "a broken-off enrolment left something: {}",
        scene.members()
    );

    // joining
    let began = std::time::Instant::now();
    browser.click("#join").await;
    browser.click("#old-enough").await;
    browser.click("#agree-face").await;
    until_kind(&browser, "card").await;
    println!("joined by face in {:.1} s", began.elapsed().as_secs_f32());
    let card = card_number(&browser).await;
    browser.shot("kiosk-joined").await;
    assert!(scene.members().contains(&card), "{}", scene.members());
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card, &card[..5]]).await;

    // coming back: recognised, and gone from the screen after walking away
    scene.buy("own", Some(&card), &["P-1", "P-2"], &[29, 20, 10, 3]);
    film::write(&scene.film, &[(film::shopper(0), 9.0), (film::empty(), 30.0)]);
    let began = std::time::Instant::now();
    browser.click("#recognise").await;
    until_kind(&browser, "slate").await;
    println!("recognised, slate on the page after {:.1} s", began.elapsed().as_secs_f32());
    browser.until("products", "return document.querySelectorAll('.product').length >= 2").await;
    browser.shot("kiosk-recognised").await;
    nothing_stays(&browser, &[&card]).await;

    // somebody else is nobody here
    film::write(&scene.film, &[(film::shopper(2), 30.0)]);
    browser.click("#recognise").await;
    browser
        .until(
            "not recognised",
            "return document.getElementById('look-hint').textContent.includes('Not recognised')",
        )
        .await;
    browser.click("#look .back").await;

    // enrolled already: not twice
    film::write(&scene.film, &[(film::shopper(0), 30.0)]);
    browser.click("#join").await;
    browser.click("#old-enough").await;
    browser.click("#agree-face").await;
    browser
        .until(
            "known",
            "return document.getElementById('joining-hint').textContent.includes('member already')",
        )
        .await;
    browser.click("#joining .back").await;

    assert_eq!(browser.console_errors(), [""; 0]);
    browser.end().await;
}
