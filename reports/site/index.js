// Shows the cells whose names, titles and sources hold every word of the search box.
const box = document.getElementById("search");
const found = document.getElementById("found");
const cards = [...document.querySelectorAll("article")];
const texts = new Map(cards.map(card =>
  [card, (card.id + " " + card.querySelector(".about").textContent).toLowerCase()]));
box.parentElement.hidden = false;
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(word => word);
  for (const card of cards)
    card.hidden = !words.every(word => texts.get(card).includes(word));
  for (const family of document.querySelectorAll("main > section"))
    family.hidden = !family.querySelector("article:not([hidden])");
  found.textContent = words.length ? String(cards.filter(card => !card.hidden).length) : "";
});
