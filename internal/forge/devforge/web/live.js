// Asks every two seconds whether the page has changed, and then replaces the parts marked data-live. Folds keep the state
// that the reader gave them, and what is being typed stays.
"use strict";
(() => {
  let version = document.documentElement.dataset.version;

  const folds = (root) => new Map(
    [...root.querySelectorAll("details")].map((fold, i) => [i + (fold.querySelector("summary")?.textContent ?? ""), fold]));

  const refresh = async () => {
    const answer = await fetch(location.pathname, { headers: { "If-None-Match": `"${version}"` }, cache: "no-store" });
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    version = next.documentElement.dataset.version;
    document.title = next.title;
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = next.getElementById(part.id);
      if (!fresh || fresh.innerHTML === part.dataset.source) continue;
      const source = fresh.innerHTML;
      const known = folds(part);
      for (const [key, fold] of folds(fresh)) {
        if (known.has(key)) fold.open = known.get(key).open;
      }
      fresh.dataset.source = source;
      part.replaceWith(document.adoptNode(fresh));
    }
  };

  const tick = () => {
    const wait = () => setTimeout(tick, 2000);
    if (document.hidden) wait();
    else refresh().then(wait, wait);
  };
  setTimeout(tick, 2000);
})();
