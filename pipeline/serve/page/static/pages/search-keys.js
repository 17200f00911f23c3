// The keys of the page of questions.

import { listenForKeys } from "../keyboard.js";

/**
 * Listen for the keys.
 *
 * @param {{form: any, grid: HTMLElement, help: any, player: any, small: MediaQueryList}} parts The parts of the page,
 *   and whether the player covers the page.
 * @param {{closePlayer: () => void, move: (by: number) => unknown, moveFocus: (by: number) => boolean,
 *   toggle: () => boolean}} actions What the page can do: `toggle` selects a moment, or does not select it any more.
 */
export function listenForSearchKeys({ form, grid, help, player, small }, { closePlayer, move, moveFocus, toggle }) {
  const inPlayer = (action) => () => (player.isOpen ? action(player.stage) : false);
  const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const along = (by) => () => (player.isOpen ? player.stage.move(by) : moveFocus(by));
  const across = (by) => () => (player.isOpen || !grid.contains(document.activeElement) ? false : moveFocus(by * columns()));
  listenForKeys({
    "/": () => {
      if (small.matches) closePlayer();
      form.box.focus();
      form.box.select();
    },
    "?": () => help.open(),
    j: () => void move(1),
    k: () => void move(-1),
    ArrowRight: along(1),
    ArrowLeft: along(-1),
    ArrowDown: across(1),
    ArrowUp: across(-1),
    y: () => (player.isOpen ? void player.mark("yes") : false),
    n: () => (player.isOpen ? void player.mark("no") : false),
    x: toggle,
    " ": inPlayer((stage) => stage.toggle()),
    ".": inPlayer((stage) => stage.step(1)),
    ",": inPlayer((stage) => stage.step(-1)),
    l: inPlayer((stage) => stage.toggleLoop()),
    m: inPlayer((stage) => stage.toggleSound()),
    f: inPlayer((stage) => stage.toggleFullScreen()),
    Escape: () => {
      if (document.fullscreenElement) return false;
      if (document.activeElement === form.box) form.box.blur();
      else closePlayer();
      return true;
    },
  });
}
