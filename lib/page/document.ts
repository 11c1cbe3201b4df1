/**
 * The status page's door to its document: what it uses of a browser, as types, and the few ways in which it changes what is shown.
 * Text is set as text, so that nothing that others wrote is taken for a part of the page. Its functions are part of the page.
 */

/** An element of the document. */
export interface PageElement {
  textContent: string | null;
  className: string;
  hidden: boolean;
  /** What is chosen in a control, and whether an element that opens is open. */
  value: string;
  open: boolean;
  readonly children: ArrayLike<PageElement>;
  append(...children: (PageElement | string)[]): void;
  remove(): void;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  getBoundingClientRect(): Readonly<Record<"left" | "top" | "width" | "height", number>>;
  addEventListener(event: string, run: (event: { readonly clientX: number }) => void): void;
}

/** A stream of events. */
export interface PageEvents {
  onmessage: ((event: { readonly data: string }) => void) | null;
  onerror: (() => void) | null;
  close(): void;
}

/** What the page uses of a browser. */
export interface Browser {
  readonly document: {
    title: string;
    getElementById(id: string): PageElement | null;
    createElement(tag: string): PageElement;
    createElementNS(namespace: string, tag: string): PageElement;
  };
  readonly location: { readonly hostname: string; reload(): void };
  readonly EventSource: new (path: string) => PageEvents;
  addEventListener(event: string, run: () => void): void;
}

export function browser(): Browser {
  return globalThis as unknown as Browser;
}

export function byId(id: string): PageElement {
  const element = browser().document.getElementById(id);
  if (element === null) throw new Error(`Cannot find part of page: received ${id}`);
  return element;
}

/** Makes an element. */
export function made(
  tag: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (PageElement | string)[]
): PageElement {
  const { document } = browser();
  const isDrawn = ["svg", "path", "line", "rect", "circle", "text", "g"].includes(tag);
  const element = isDrawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text, if it is another: what has not changed is neither drawn nor read out again, and stays selected. */
export function say(element: PageElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute, if it is another. */
export function set(element: PageElement, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Gives an element one child for each item, made by `make` where there are too few, and returns them. */
export function childrenFor(parent: PageElement, count: number, make: () => PageElement): PageElement[] {
  while (parent.children.length > count) parent.children[parent.children.length - 1].remove();
  while (parent.children.length < count) parent.append(make());
  return Array.from(parent.children);
}

/**
 * Shows texts as rows of a table, of which the first cell heads the row and the last takes the columns that are left. Zeros are set
 * back.
 */
export function showRows(body: PageElement, rows: readonly (readonly string[])[], columns: number): void {
  const shown = childrenFor(body, rows.length, () => made("tr"));
  shown.forEach((row, i) => {
    const texts = rows[i];
    const cells = childrenFor(row, texts.length, () => {
      return row.children.length === 0 ? made("th", { scope: "row" }) : made("td");
    });
    cells.forEach((cell, column) => {
      say(cell, texts[column]);
      set(cell, "class", texts[column] === "0" ? "quiet" : "");
    });
    if (texts.length < columns) set(cells[texts.length - 1], "colspan", String(1 + columns - texts.length));
  });
}

/** A bar that is as long as a share, 0 to 1. */
export function madeBar(): PageElement {
  const bar = made("rect", { class: "bar", width: "0", height: "8", rx: "2" });
  return made("svg", { class: "bars", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, bar);
}

export function showBar(bar: PageElement, share: number): void {
  set(bar.children[0], "width", (100 * Math.min(1, Math.max(0, share))).toFixed(1));
}
