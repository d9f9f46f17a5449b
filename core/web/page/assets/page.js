// Puts this server's own address into the commands, so that they can be copied as they stand.
for (const place of document.querySelectorAll(".origin")) {
  place.textContent = location.origin;
}
