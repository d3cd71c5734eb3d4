import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './shell.css';
import { App } from './app.tsx';
import { signIn, takeKey, whoIsSignedIn } from './session.ts';

// A theme in the address is for screens that follow no person's wishes.
const theme = new URLSearchParams(location.search).get('theme');
if (theme === 'light' || theme === 'dark') document.documentElement.dataset['theme'] = theme;

const key = takeKey();
const entering = key === null ? whoIsSignedIn() : signIn(key);
const root = document.querySelector('#root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App entering={entering} />
    </StrictMode>,
  );
}
