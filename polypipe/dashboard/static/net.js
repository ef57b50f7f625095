// Requests: JSON, the server's clock, and the event stream. A hidden tab requests nothing.

let offset = 0; // server's clock minus ours, in milliseconds

/** The time by the server's clock: ages stay right if the browser's clock is wrong. */
export function now() { return Date.now() + offset; }

/** JSON from a path with parameters. Throws an Error whose message is the server's line. */
export async function get(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined));
  const text = query.toString();
  let response;
  try {
    response = await fetch(text ? `${path}?${text}` : path, { headers: { Accept: "application/json" } });
  } catch {
    throw new Error("the dashboard does not answer; is polypipe running?");
  }
  const date = Date.parse(response.headers.get("Date") ?? "");
  const ahead = date - Date.now();
  if (Number.isFinite(ahead)) offset = Math.abs(ahead) > 2500 ? ahead : 0; // reset: the clock may have been corrected
  const body = await response.json().catch(() => ({ error: `answer ${response.status} is not JSON` }));
  if (!response.ok) throw new Error(body.error ?? `answer ${response.status}`);
  return body;
}

/** Call `news(state)` at each new version and `lost()` when the stream breaks, but not while the tab is hidden. */
export function listen(news, lost) {
  let source = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource("/api/events");
    source.addEventListener("version", (event) => news(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      lost();
      if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(open, 5000); }
    });
  };
  const shut = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => (document.hidden ? shut() : open()));
  window.addEventListener("pagehide", shut);
  open();
}
