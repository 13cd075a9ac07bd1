// The search works in a web worker, which a browser refuses to start from a file of one's own disk.
// There a hidden frame takes the worker's place. Over http nothing of this runs.
(() => {
  if (location.protocol !== "file:") return;

  class IFrameWorker extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.documentElement.append(frame);
      this.inside = frame.contentWindow;
      // what the worker says reaches the page; a window's own postMessage would reach itself
      this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.inside.importScripts = (...urls) => urls.reduce((before, each) => before.then(() => this.load(each)), Promise.resolve());
      this.ready = this.load(url).then(() => {
        for (const data of this.waiting) this.tell(data);
        this.waiting = null;
      });
    }

    load(url) {
      return new Promise((done, failed) => {
        const script = frameScript(this.inside.document, url);
        script.onload = done;
        script.onerror = () => failed(new Error(`cannot load ${url}`));
      });
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.tell(data);
    }

    tell(data) {
      this.inside.dispatchEvent(new MessageEvent("message", { data }));
    }

    terminate() {
      this.inside.frameElement.remove();
    }
  }

  function frameScript(page, url) {
    const script = page.createElement("script");
    script.src = new URL(url, document.baseURI);
    page.documentElement.append(script);
    return script;
  }

  window.IFrameWorker = window.Worker = IFrameWorker;
})();
