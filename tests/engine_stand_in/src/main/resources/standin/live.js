// Shows that a WebSocket passes through everything between the browser and the node.
"use strict";
const live = document.getElementById("live");
const address = new URL("ws", window.location.href);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
address.search = "";

function connect() {
  const socket = new WebSocket(address);
  socket.onmessage = (message) => {
    live.textContent = "· live from " + JSON.parse(message.data).node;
  };
  socket.onclose = () => {
    live.textContent = "· connecting …";
    setTimeout(connect, 2000);
  };
}

connect();
