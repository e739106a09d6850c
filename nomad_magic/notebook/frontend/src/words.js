// How times and sizes are said, as the record says them.

/** A running clock: `00:12`, `12:34`, `1:02:03`. @param {number} ms */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

/** A number of bytes: `512 bytes`, `12.3 MB`. @param {number} count */
export function size(count) {
  if (count < 1000) return `${count} byte${count === 1 ? "" : "s"}`;
  const units = ["kB", "MB", "GB", "TB"];
  let power = 0;
  let rest = count / 1000;
  while (rest >= 999.95 && power < units.length - 1) {
    rest /= 1000;
    power += 1;
  }
  return `${rest.toFixed(1)} ${units[power]}`;
}

/** The line that stands where output is missing. @param {number} count */
export function leftOut(count) {
  return `[… ${size(count)} left out …]`;
}
