/** The chosen photograph before and after, and its controls. */

import type { Photograph } from "./album";

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

export class Viewer {
  onChange: (id: number) => void = () => {};
  onDownloadAll: () => void = () => {};
  private shown?: Photograph;
  private readonly stage = element("stage");
  private readonly before = element<HTMLImageElement>("before");
  private readonly after = element<HTMLImageElement>("after");
  private readonly split = element<HTMLInputElement>("split");
  private readonly saturation = element<HTMLInputElement>("saturation");
  private readonly size = element<HTMLInputElement>("size");

  constructor() {
    this.split.oninput = () => this.drawSplit();
    for (const input of [this.saturation, this.size]) {
      input.oninput = () => this.drawValues();
      input.onchange = () => this.shown && this.onChange(this.shown.id);
    }
    this.stage.onpointerdown = (event) => {
      this.stage.setPointerCapture(event.pointerId);
      this.drag(event);
    };
    this.stage.onpointermove = (event) => event.buttons && this.drag(event);
    element("download").onclick = () => this.shown && this.download(this.shown);
    element("download-all").onclick = () => this.onDownloadAll();
    this.drawSplit();
    this.drawValues();
  }

  /** Return what a photograph is to be colored with. */
  settings(): { size: number | null; saturation: number } {
    return { size: this.size.max ? Number(this.size.value) : null, saturation: Number(this.saturation.value) };
  }

  /** Set the range of the predicted size; `size` is the model's own. */
  setSizes(size: number, smallest: number): void {
    this.size.min = String(smallest);
    this.size.max = String(4 * size);
    this.size.value = String(size);
    this.drawValues();
  }

  show(photograph: Photograph): void {
    this.shown = photograph;
    element("viewer").hidden = false;
    element("caption").textContent = photograph.file.name;
    this.before.src = photograph.original;
    this.before.alt = `${photograph.file.name}, original`;
    this.drawColored();
  }

  /** Show what has changed, if it is this photograph that is shown. */
  refresh(photograph: Photograph, colored: number): void {
    element("download-all").hidden = colored < 2;
    if (photograph === this.shown) this.drawColored();
  }

  /** Keep a colored copy in place of the one before. */
  keep(photograph: Photograph, blob: Blob, name: string): void {
    if (photograph.colored) URL.revokeObjectURL(photograph.colored.address);
    photograph.colored = { address: URL.createObjectURL(blob), name };
  }

  download({ colored }: Photograph): void {
    if (!colored) return;
    const link = document.createElement("a");
    link.href = colored.address;
    link.download = colored.name;
    link.click();
  }

  private drawColored(): void {
    const { colored, state, file } = this.shown!;
    this.stage.dataset.state = state;
    element("viewer").dataset.colored = String(Boolean(colored));
    element<HTMLButtonElement>("download").disabled = !colored || state !== "colored";
    if (!colored) this.after.removeAttribute("src");
    else if (this.after.src !== colored.address) this.after.src = colored.address;
    this.after.alt = colored ? `${file.name}, colored` : "";
  }

  private drag(event: PointerEvent): void {
    const { left, width } = this.stage.getBoundingClientRect();
    this.split.value = String((100 * (event.clientX - left)) / width);
    this.drawSplit();
  }

  private drawSplit(): void {
    this.stage.style.setProperty("--split", `${this.split.value}%`);
    this.split.setAttribute("aria-valuetext", `${this.split.value} % original`);
  }

  private drawValues(): void {
    element("saturation-value").textContent = Number(this.saturation.value).toFixed(2);
    element("size-value").textContent = this.size.max === "" ? "" : `${this.size.value} px`;
  }
}
