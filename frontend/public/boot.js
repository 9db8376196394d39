// What the page shows when a file that it starts with could not be loaded, for instance because the network changed. None of the
// page's own code runs then, so this file depends on nothing. It loads the page again until it starts.
(() => {
  const root = () => document.getElementById('root');
  let waits = false;

  const say = () => {
    const place = root();
    if (waits || place === null || place.childElementCount > 0) return; // it has started
    waits = true;
    let language = navigator.language;
    try {
      language = localStorage.getItem('orderbell.language') ?? localStorage.getItem('orderbell.language.business') ?? language;
    } catch {
      // a browser without storage
    }
    const [text, now] = language.startsWith('id')
      ? ['Halaman tidak dapat dimuat sepenuhnya. Dicoba lagi dalam beberapa detik.', 'Coba sekarang']
      : ['The page could not be loaded completely. It tries again in a few seconds.', 'Try now'];
    const note = document.createElement('div');
    note.className = 'page note'; // the styles may be there
    note.setAttribute('role', 'alert');
    const line = document.createElement('p');
    line.textContent = text;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'button';
    button.textContent = now;
    button.addEventListener('click', () => location.reload());
    note.append(line, button);
    place.append(note);
    const again = () => line.isConnected && location.reload(); // a page that started late has removed the line
    setTimeout(again, 3000 + 5000 * Math.random()); // not all screens at once
  };

  // A script that is not loaded reports it at its element, an exception at the window. The exception may be the end of a page that
  // had started, whose root is empty only afterwards.
  addEventListener('error', (event) => {
    if (event.target === window || event.target instanceof HTMLScriptElement) setTimeout(say);
  }, true);
  addEventListener('unhandledrejection', () => setTimeout(say));
})();
