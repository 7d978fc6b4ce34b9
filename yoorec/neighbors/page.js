"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const kept = `yoorec-marks-${page.digest}`;
  const words = { y: "similar", n: "not similar" };
  const byId = (id) => document.getElementById(id);
  const judge = byId("judge");

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // One spot for each neighbour shown, in the page's order; spots[q][p] is the p-th of query q.
  const places = [];
  const placeOf = new Map();
  const key = (query, item) => JSON.stringify([query, item]);
  const spots = [];
  let current = 0;

  function picture(item) {
    const box = make("div", { class: "picture" });
    if (item.image) {
      // The title stands beside it, so that the picture needs no words of its own.
      box.append(make("img", { src: item.image, alt: "", decoding: "async" }));
      return box;
    }
    box.append(make("div", { class: "words" }, item.title));
    if (item.fault) {
      box.classList.add("fault");
      box.title = item.fault;
    }
    return box;
  }

  function button(kind, label, title, place) {
    const made = make("button", { type: "button", class: kind, "aria-pressed": "false" }, label);
    made.setAttribute("aria-label", `${label}: ${title}`);
    const word = kind === "yes" ? words.y : words.n;
    made.addEventListener("click", () => mark(place, place.mark === word ? null : word));
    return made;
  }

  function card(place, item, number, of) {
    const label = `${item.title}, ${number + 1} of ${of}`;
    const made = make("div", { class: "card", role: "group", tabindex: "-1", "aria-label": label }, picture(item));
    made.title = item.id;
    if (item.image) made.append(make("div", { class: "title" }, item.title));
    place.yes = button("yes", "Similar", item.title, place);
    place.no = button("no", "Not similar", item.title, place);
    made.append(make("div", { class: "answer" }, place.yes, place.no));
    made.addEventListener("focusin", () => choose(places.indexOf(place)));
    made.addEventListener("click", (event) => {
      if (!event.target.closest("button")) made.focus({ preventScroll: true });
    });
    return made;
  }

  page.queries.forEach((query, q) => {
    const item = page.items[query.item];
    const asked = make("div", { class: "asked" });
    if (item.image || item.fault) asked.append(picture(item));
    const count = make("p", {});
    const title = make("h2", { id: `query-${q}`, title: item.id }, item.title);
    asked.append(title, make("p", {}, `Item ${q + 1} of ${page.queries.length}`), count);
    const cards = make("div", { class: "cards" });
    spots.push(
      query.pool.map((number, spot) => {
        const place = { query: item.id, item: page.items[number].id, mark: null, count, q };
        place.card = card(place, page.items[number], spot, query.pool.length);
        cards.append(place.card);
        places.push(place);
        placeOf.set(key(place.query, place.item), place);
        return place;
      }),
    );
    byId("main").append(make("section", { class: "query", "aria-labelledby": title.id }, asked, cards));
  });

  // Precision of a trigger: the mean over queries of the share of similar ones, of those judged in its list.
  function precision(trigger) {
    let total = 0, queries = 0, judged = 0, listed = 0;
    page.queries.forEach((query, q) => {
      const marks = query.lists[trigger].map((spot) => spots[q][spot].mark);
      const known = marks.filter(Boolean);
      listed += marks.length;
      judged += known.length;
      if (known.length) {
        total += known.filter((word) => word === words.y).length / known.length;
        queries += 1;
      }
    });
    return { value: queries ? (total / queries).toFixed(4) : "-", judged, listed };
  }

  byId("figures").append(make("li", {}, `precision@${page.top}`));
  const figures = page.triggers.map((name) => {
    const value = make("b", {}), judged = make("span", {});
    byId("figures").append(make("li", {}, `${name} `, value, " ", judged));
    return { value, judged };
  });

  function show() {
    const judged = places.filter((place) => place.mark).length;
    byId("count").textContent = `${judged} of ${places.length} judged`;
    byId("progress").max = Math.max(places.length, 1);
    byId("progress").value = judged;
    figures.forEach((shown, trigger) => {
      const found = precision(trigger);
      shown.value.textContent = found.value;
      shown.judged.textContent = `${found.judged} of ${found.listed}`;
    });
    for (const row of spots) {
      if (row.length) row[0].count.textContent = `${row.filter((place) => place.mark).length} of ${row.length} judged`;
    }
  }

  function paint(place) {
    if (place.mark) place.card.dataset.mark = place.mark;
    else delete place.card.dataset.mark;
    place.yes.setAttribute("aria-pressed", String(place.mark === words.y));
    place.no.setAttribute("aria-pressed", String(place.mark === words.n));
  }

  function mark(place, word) {
    place.mark = word;
    paint(place);
    show();
    keep();
  }

  function choose(number) {
    if (places[current]) places[current].card.tabIndex = -1;
    current = number;
    if (places[current]) places[current].card.tabIndex = 0;
  }

  function go(number) {
    if (!places[number]) return;
    choose(number);
    places[number].card.focus({ preventScroll: true });
    places[number].card.scrollIntoView({ block: "nearest" });
  }

  // The card nearest in the next row above or below.
  function row(step) {
    const here = places[current].card.getBoundingClientRect();
    let best = current, least = Infinity;
    places.forEach((place, number) => {
      const there = place.card.getBoundingClientRect();
      const down = (there.top - here.top) * step;
      if (down <= 1) return;
      const far = down * 10000 + Math.abs(there.left - here.left);
      if (far < least) [best, least] = [number, far];
    });
    go(best);
  }

  const keys = {
    ArrowRight: () => go(current + 1),
    ArrowLeft: () => go(current - 1),
    ArrowDown: () => row(1),
    ArrowUp: () => row(-1),
    y: () => answer(words.y),
    n: () => answer(words.n),
    u: () => answer(null),
  };

  function answer(word) {
    mark(places[current], word);
    go(word && places[current + 1] ? current + 1 : current);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input") || !places.length) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    // The first move only says where one is.
    if (document.activeElement.closest(".card") || event.key.length === 1) act();
    else go(current);
  });

  const state = () => ({
    version: 1,
    digest: page.digest,
    scene: page.scene,
    judge: judge.value.trim(),
    marks: places.filter((place) => place.mark).map(({ query, item, mark }) => ({ query, item, mark })),
  });

  function tell(text, fine = false) {
    const told = byId("told");
    told.textContent = text;
    told.className = fine ? "fine" : "";
    told.hidden = !text;
  }

  function keep() {
    try {
      localStorage.setItem(kept, JSON.stringify(state()));
    } catch {
      tell("This browser keeps nothing for this page: save the marks before you close it.");
    }
  }

  // Takes the marks of a document in place of those there, or throws before it changed anything.
  function take(found) {
    if (typeof found !== "object" || found === null || !Array.isArray(found.marks)) throw new Error("holds no marks");
    if (found.digest !== page.digest) throw new Error("holds marks of another page");
    const taken = new Map();
    for (const each of found.marks) {
      const place = placeOf.get(key(each?.query, each?.item));
      if (!place) throw new Error(`marks '${each?.item}' for '${each?.query}', which is not on this page`);
      if (!Object.values(words).includes(each.mark)) throw new Error(`says '${each.mark}' of '${each.item}'`);
      taken.set(place, each.mark);
    }
    for (const place of places) {
      place.mark = taken.get(place) ?? null;
      paint(place);
    }
    judge.value = typeof found.judge === "string" ? found.judge : "";
    show();
    return taken.size;
  }

  function recall() {
    try {
      const text = localStorage.getItem(kept);
      if (text) take(JSON.parse(text));
    } catch {
      // Nothing kept, or nothing of use: the page starts empty.
    }
  }

  byId("save").addEventListener("click", () => {
    const blob = new Blob([`${JSON.stringify(state(), null, 1)}\n`], { type: "application/json" });
    const link = make("a", { href: URL.createObjectURL(blob), download: "marks.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    tell(`Saved ${state().marks.length} marks as marks.json.`, true);
  });

  byId("load").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      const found = JSON.parse(await file.text());
      const there = state().marks.length;
      if (there && !confirm(`Take the marks of ${file.name} in place of the ${there} here?`)) return;
      tell(`Loaded ${take(found)} marks from ${file.name}.`, true);
      keep();
    } catch (error) {
      tell(`${file.name} can't be taken: it ${error instanceof SyntaxError ? "is no JSON" : error.message}.`);
    } finally {
      event.target.value = "";
    }
  });

  byId("restart").addEventListener("click", () => {
    const there = state().marks.length;
    if (there && !confirm(`Clear all ${there} marks and the judge's name?`)) return;
    take({ digest: page.digest, marks: [] });
    keep();
    tell("");
  });

  byId("next").addEventListener("click", () => {
    const left = places.map((place, number) => (place.mark ? -1 : number)).filter((number) => number >= 0);
    if (left.length) go(left.find((number) => number >= current) ?? left[0]);
    else tell("All are judged: save the marks.", true);
  });

  judge.addEventListener("input", keep);
  // Another tab with this page: show what was marked there.
  addEventListener("storage", (event) => {
    if (event.key === kept) recall();
  });
  new ResizeObserver(([bar]) => {
    const sticks = getComputedStyle(bar.target).position === "sticky";
    document.documentElement.style.setProperty("--bar", `${sticks ? bar.target.offsetHeight : 0}px`);
  }).observe(byId("bar"));

  show();
  recall();
  choose(0);
})();
