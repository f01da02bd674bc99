// Shows the two cells that the boxes, or the address after #, name: compare.html#lstm,gru.
const boxes = [document.getElementById("first"), document.getElementById("second")];
const cards = [...document.querySelectorAll("article")];
function show() {
  const names = boxes.map(box => box.value);
  for (const card of cards) {
    const place = names.indexOf(card.id);
    card.hidden = place < 0;
    card.style.order = String(place);
  }
}
const asked = decodeURIComponent(location.hash.slice(1)).split(",");
boxes.forEach((box, place) => {
  if ([...box.options].some(option => option.value === asked[place])) box.value = asked[place];
  box.addEventListener("change", () => {
    history.replaceState(null, "", "#" + boxes.map(one => one.value).join(","));
    show();
  });
});
boxes[0].closest("form").hidden = false;
show();
