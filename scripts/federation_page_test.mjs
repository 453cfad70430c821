// What scripts/federation_page_test.sh looks at. It says where two services are: PRIVATE, whose page needs KEY, and PUBLIC,
// whose page needs none.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const { PAGE_TEST_MODULES, PRIVATE, PUBLIC, KEY, OUT, ASSETS, CHROMIUM } = process.env;
const require = createRequire(join(PAGE_TEST_MODULES, "package.json"));
const puppeteer = require("puppeteer-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const STATUSES = ["new", "online", "late", "degraded", "offline", "unknown", "paused"];
const PROJECTS = 60;
const PER_PAGE = 50;
// As scripts/federation_page_test.sh has it.
const THRESHOLD_MS = 15000;
const SHOWN_WITHIN_MS = 1000;
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 400, height: 800 };
const SCHEMES = ["light", "dark"];
const KINDS = { css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8", svg: "image/svg+xml" };

const faults = [];
function check(holds, what) {
  if (!holds) { faults.push(what); console.log(`FAIL ${what}`); }
}
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// On a busy disk the database may not answer in time; nothing was changed then, and the answer says to try again.
const TRIES = 5;

async function call(method, path, body) {
  let answer, text;
  for (let tried = 0; tried < TRIES; tried += 1) {
    if (tried > 0) await sleep(1000);
    answer = await fetch(PRIVATE + path, {
      method, headers: { "x-api-key": KEY, "content-type": "application/json" }, body: body && JSON.stringify(body),
    });
    text = await answer.text();
    if (answer.status !== 503) break;
  }
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text;
}
const beat = (slug, status = "online") =>
  call("POST", `/api/fed/projects/${slug}/heartbeat`, { project_slug: slug, status });

// Sixty projects, each to be of the status in its slug, and those of all statuses on the first page.
const slugs = Array.from({ length: PROJECTS }, (_, at) =>
  `p${String(at).padStart(2, "0")}-${STATUSES[at % STATUSES.length]}`);
const of = (status) => slugs.filter((slug) => slug.endsWith(status));

async function register() {
  for (const [at, slug] of slugs.entries()) {
    await call("POST", "/api/fed/projects", {
      project_slug: slug, name: at === 3 ? "A cooperative whose name is so long that it does not fit on one line of a telephone" : `Project ${at}`,
      hub_url: `https://hub-${at}.example.org`, mesh_namespace: `hub.${slug}`, tags: at % 2 ? ["client", "staging"] : ["primary"],
    });
  }
  for (const slug of of("paused")) await call("PATCH", `/api/fed/projects/${slug}`, { paused: true });
}

const kept = () => Promise.all([
  ...of("online").map((slug) => beat(slug)),
  ...of("degraded").map((slug) => beat(slug, "degraded")),
  ...of("offline").map((slug) => beat(slug, "offline")),
]);

// Enough that fall silent together make the service say that it does not know: these are unknown for one threshold. Those
// that beat a third of it later are late meanwhile. The page as it is then, with every status on it.
async function pageWithAllStatuses() {
  const silent = [...of("unknown"), ...of("new")];
  const throwaway = Array.from({ length: 30 }, (_, at) => `z${at}`);
  for (const slug of throwaway) {
    await call("POST", "/api/fed/projects", { project_slug: slug, name: slug, hub_url: "https://hub.example.org", mesh_namespace: `hub.${slug}` });
  }
  const start = Date.now();
  await Promise.all([...of("unknown"), ...throwaway].map((slug) => beat(slug)));
  const beating = setInterval(() => kept().catch((error) => check(false, error.message)), 2000);
  try {
    await sleep(THRESHOLD_MS / 3 + 500);
    await Promise.all(of("late").map((slug) => beat(slug)));
    while (Date.now() - start < 2 * THRESHOLD_MS) {
      const { text } = await get("/", KEY);
      if (STATUSES.every((status) => text.includes(`<td class="status ${status}">`))) return text;
      await sleep(200);
    }
    throw new Error(`not all statuses came: ${silent.length} were to be unknown`);
  } finally {
    clearInterval(beating);
    for (const slug of throwaway) await call("DELETE", `/api/fed/projects/${slug}`);
  }
}

async function get(path, key, base = PRIVATE) {
  const headers = { accept: "text/html" };
  if (key) headers.authorization = `Basic ${Buffer.from(`anybody:${key}`).toString("base64")}`;
  const answer = await fetch(base + path, { headers });
  return { status: answer.status, challenge: answer.headers.get("www-authenticate") ?? "", text: await answer.text() };
}

// A tab that has the key. A still one does not keep itself fresh; `snapshot` is shown in it instead of what / answers now.
async function open(browser, { viewport = WIDE, scheme = "light", script = true, still = false, isCutOff = false, snapshot, base = PRIVATE, key = KEY } = {}) {
  const context = await browser.createBrowserContext();
  const tab = await context.newPage();
  await tab.setViewport(viewport);
  await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await tab.setJavaScriptEnabled(script);
  if (key) await tab.authenticate({ username: "anybody", password: key });
  tab.on("pageerror", (error) => check(false, `a script fails: ${error.message}`));
  tab.on("console", (message) => {
    // Requests that fail while there is no network are not the page's fault.
    if (!isCutOff && ["error", "warn"].includes(message.type())) check(false, `the browser says: ${message.text()} (${message.location().url ?? ""})`);
  });
  if (still || ASSETS) {
    await tab.setRequestInterception(true);
    tab.on("request", (request) => {
      const { pathname } = new URL(request.url());
      if (still && pathname === "/assets/page.js") return request.respond({ contentType: KINDS.js, body: "" });
      const asset = ASSETS && pathname.match(/^\/assets\/(\w+\.(css|js|svg))$/);
      if (asset) return request.respond({ contentType: KINDS[asset[2]], body: readFileSync(join(ASSETS, asset[1])) });
      if (snapshot && pathname === "/") return request.respond({ contentType: "text/html; charset=utf-8", body: snapshot });
      return request.continue();
    });
  }
  tab.go = async (path) => {
    const answer = await tab.goto(base + path, { waitUntil: "load" });
    return answer.status();
  };
  tab.end = () => context.close();
  return tab;
}

async function rules(tab, name) {
  await tab.evaluate(AXE);
  const found = await tab.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of found.violations) {
    check(false, `${name}: ${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" | ")} (${nodes.length})`);
  }
  return found.passes.length;
}

// Contrast, rules of accessibility and width, of every kind of page in both schemes and both widths.
async function looks(browser, snapshot) {
  if (OUT) mkdirSync(OUT, { recursive: true });
  const pages = [
    { name: "list", path: "/", snapshot },
    { name: "no-match", path: "/?q=nothing-is-called-so" },
    { name: "project", path: `/projects/${of("online")[0]}` },
    { name: "project-late", path: `/projects/${of("late")[0]}` },
    { name: "empty", path: "/", base: PUBLIC },
  ];
  let passed = 0;
  for (const { name, path, ...where } of pages) {
    for (const scheme of SCHEMES) {
      for (const viewport of [WIDE, NARROW]) {
        const tab = await open(browser, { viewport, scheme, still: true, ...where });
        const what = `${name} (${scheme}, ${viewport.width} px)`;
        check(await tab.go(path) === 200, `${what}: not 200`);
        if (OUT) await tab.screenshot({ path: join(OUT, `${name}-${scheme}-${viewport.width}.png`), fullPage: true });
        const width = await tab.evaluate(() => document.documentElement.scrollWidth);
        check(width <= viewport.width, `${what}: is ${width} px wide`);
        if (viewport === NARROW) await labels(tab, what);
        passed += await rules(tab, what);
        await tab.end();
      }
    }
  }
  return `${pages.length} pages in ${SCHEMES.join(" and ")} at ${WIDE.width} and ${NARROW.width} px: ${passed} rules of axe-core pass`;
}

// Where the head of the table is not shown, each time says what it is the time of.
async function labels(tab, what) {
  const bare = await tab.$$eval("#live tr[id] td:has(time)", (cells) =>
    cells.filter((cell) => ["none", "normal"].includes(getComputedStyle(cell, "::before").content)).length);
  check(bare === 0, `${what}: ${bare} times without a label`);
}

// Every link, field and button is reached by Tab, in the order of the page, and seen to be.
async function keyboard(browser) {
  let count = 0;
  for (const scheme of SCHEMES) {
    for (const path of ["/", `/projects/${of("online")[0]}`]) {
      const tab = await open(browser, { scheme, viewport: NARROW, still: true });
      await tab.go(path);
      const wanted = await tab.evaluate(() => {
        const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
        all.forEach((element, at) => { element.dataset.at = at; });
        return all.map((element) => element.outerHTML.slice(0, 100));
      });
      let at = 0;
      for (; at < wanted.length; at += 1) {
        await tab.keyboard.press("Tab");
        const seen = await tab.evaluate(focused);
        if (!seen || Number(seen.at) !== at) {
          check(false, `keyboard (${path}): ${wanted[at]} is not reached; ${seen ? wanted[seen.at] : "nothing"} is`);
          break;
        }
        const what = `keyboard (${scheme}): ${wanted[at]}`;
        const isMarked = seen.outline >= 2 && seen.contrast >= 3;
        check(isMarked, `${what}: focus is not seen (${seen.outline} px, contrast ${seen.contrast})`);
        check(seen.visible, `${what}: is outside of what is seen`);
        if (!isMarked || !seen.visible) break;
      }
      count += at;
      await tab.end();
    }
  }
  // The first of all leads past the rest.
  const tab = await open(browser);
  await tab.go("/");
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  await tab.keyboard.press("Tab");
  check(await tab.evaluate(() => document.activeElement.id === "q"), "the link past the head does not lead to the first field");
  // By keyboard alone: what is asked for is found.
  await tab.keyboard.type(of("paused")[0]);
  await Promise.all([tab.waitForNavigation(), tab.keyboard.press("Enter")]);
  check((await rows(tab)).join() === of("paused")[0], "a search by keyboard does not find what it is to");
  await tab.end();
  return `${count} links, fields and buttons are reached by Tab and seen`;
}

// Runs in the page.
function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return { light: [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)), a };
  };
  const luminance = ({ light: [r, g, b] }) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  let behind = element.parentElement;
  while (behind.parentElement && parse(getComputedStyle(behind).backgroundColor).a === 0) behind = behind.parentElement;
  const [one, other] = [style.outlineColor, getComputedStyle(behind).backgroundColor].map(parse).map(luminance);
  const box = element.getBoundingClientRect();
  return {
    at: element.dataset.at,
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    contrast: Math.round((Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) * 10) / 10,
    visible: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}

const rows = (tab) => tab.$$eval("tbody tr[id^=p-]", (found) => found.map((row) => row.id.slice(2)));

// What changes is shown in time, and takes the focus from nobody, whatever has it.
async function freshness(browser) {
  const tab = await open(browser);
  await tab.go("/");
  // Its stream is open when it has made the page anew.
  await sleep(1000);
  // All that screen readers are told: others change, too, meanwhile.
  await tab.evaluate(() => {
    window.told = [];
    const said = document.getElementById("said");
    new MutationObserver(() => window.told.push(said.textContent)).observe(said, { childList: true, characterData: true, subtree: true });
  });
  const took = [];
  const [first, second, third] = of("new");
  for (const [slug, focus] of [[first, `#a-${first}`], [second, ".counts a"], [third, ".table"]]) {
    await tab.focus(focus);
    const shown = tab.waitForFunction(
      (id) => document.querySelector(`#${id} td.status.online`), { polling: "mutation", timeout: 5000 }, `p-${slug}`,
    ).then(() => Date.now(), () => Infinity);
    await beat(slug);
    const since = Date.now();
    const ms = (await shown) - since;
    took.push(ms);
    check(ms <= SHOWN_WITHIN_MS, `${slug} is online, and is shown so after ${ms} ms`);
    check(await tab.evaluate((at) => document.activeElement.matches(at), focus), `${focus}: the focus is lost when the page is made anew`);
    const told = await tab.evaluate(() => window.told);
    check(told.includes(`${slug} is online`), `screen readers are not told of ${slug}, but: ${told.join("; ")}`);
  }
  await tab.end();

  // Who looks while the service is away is told so, and when it is over.
  const other = await open(browser, { isCutOff: true });
  await other.go("/");
  const says = (text) => other.waitForFunction(
    (wanted) => document.getElementById("said").textContent.includes(wanted), { timeout: 15000 }, text,
  ).then(() => true, () => false);
  await other.setOfflineMode(true);
  check(await says("does not answer"), "a page that is not up to date does not say so");
  await other.setOfflineMode(false);
  check(await says("answers again"), "a page that is up to date again does not say so");
  await other.end();
  return `changes are shown within ${Math.max(...took)} ms (${took.join(", ")})`;
}

// Without scripts the form filters, and all pages are reached.
async function withoutScripts(browser) {
  const tab = await open(browser, { script: false });
  await tab.go("/");
  const seen = await rows(tab);
  check(seen.length === PER_PAGE, `the first page has ${seen.length} projects`);
  await Promise.all([tab.waitForNavigation(), tab.click("a[rel=next]")]);
  seen.push(...await rows(tab));
  check(seen.join() === slugs.join(), `the pages have ${seen.length} projects, not the ${PROJECTS} in order`);
  check(await tab.$("a[rel=next]") === null, "the last page has a next one");

  await tab.go("/");
  await tab.select("#status", "paused");
  await Promise.all([tab.waitForNavigation(), tab.click("button[type=submit]")]);
  check((await rows(tab)).join() === of("paused").join(), "the status filters wrongly");
  check(await tab.$eval("#status", (field) => field.value) === "paused", "the form forgets the status");
  await tab.type("#q", "p06");
  await Promise.all([tab.waitForNavigation(), tab.click("button[type=submit]")]);
  check((await rows(tab)).join() === "p06-paused", "the text filters wrongly");
  check(await tab.$eval("#q", (field) => field.value) === "p06", "the form forgets the text");
  await tab.end();
  return "filter and paging work without scripts";
}

// A page that is not public asks for a key, as browsers understand it.
async function keys(browser) {
  for (const path of ["/", `/projects/${slugs[0]}`, "/api/fed/watch"]) {
    for (const key of [undefined, "a-wrong-key"]) {
      const { status, challenge, text } = await get(path, key);
      check(status === 401 && challenge.startsWith("Basic "), `${path} with the key ${key}: ${status} ${challenge}`);
      check(!text.includes("Project 1"), `${path} tells without a key what there is`);
    }
  }
  check((await get("/", KEY)).status === 200, "the key does not open the page");
  check((await get("/", undefined, PUBLIC)).status === 200, "the public page asks for a key");
  check((await get("/api/fed/projects", undefined, PUBLIC)).status === 401, "with a public page the interface needs no key");
  const tab = await open(browser, { base: PUBLIC, key: null });
  check(await tab.go("/") === 200, "a browser cannot open the public page");
  await sleep(500);
  await tab.end();
  return "without a key the page asks for one, with it or where it is public it opens";
}

const browser = await puppeteer.launch({
  executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
});
try {
  await register();
  const snapshot = await pageWithAllStatuses();
  for (const part of [() => looks(browser, snapshot), ...[keyboard, freshness, withoutScripts, keys].map((part) => () => part(browser))]) {
    console.log(await part());
  }
} catch (error) {
  check(false, error.stack);
} finally {
  await browser.close();
}
if (faults.length > 0) console.log(`${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;
