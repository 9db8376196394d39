/** Decoration only: every icon is next to a text or in a labelled button. */
export function BellIcon() {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path
        d="M12 3.2a1.3 1.3 0 0 1 1.3 1.3v.6a6.2 6.2 0 0 1 4.9 6.1v3.4l1.6 2.5a.9.9 0 0 1-.8 1.4H5a.9.9 0 0 1-.8-1.4l1.6-2.5v-3.4a6.2 6.2 0 0 1 4.9-6.1v-.6A1.3 1.3 0 0 1 12 3.2Z"
        fill="currentColor"
      />
      <path d="M9.6 19.8h4.8a2.4 2.4 0 0 1-4.8 0Z" fill="currentColor" />
    </svg>
  );
}

export function UserIcon() {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <circle cx="12" cy="8" r="4" fill="currentColor" />
      <path d="M4.5 20a7.5 7.5 0 0 1 15 0Z" fill="currentColor" />
    </svg>
  );
}
