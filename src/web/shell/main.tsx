import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './shell.css';
import { App } from './app.tsx';
import { loadPage } from './pages.ts';
import { enter, takeFromLink } from './session.ts';

// A theme in the address is for screens that follow no person's wishes.
const theme = new URLSearchParams(location.search).get('theme');
if (theme === 'light' || theme === 'dark') document.documentElement.dataset['theme'] = theme;

// A link that leads to where one is already only changes the fragment: it is to sign in all the same.
addEventListener('hashchange', () => {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has('key') || fragment.has('code')) location.reload();
});

const link = takeFromLink();
const enterByLink = () => enter(link);
const [entered, Page] = await Promise.all([
  enterByLink(),
  // What cannot be loaded fails where it is shown, and says so there.
  loadPage(location.pathname).catch((error: unknown) => () => {
    throw error;
  }),
]);
const root = document.querySelector('#root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App Page={Page} entered={entered} enter={enterByLink} />
    </StrictMode>,
  );
}
