/* The camera at the counter: a QR code becomes what somebody would have typed. The decoder is fetched when it is first
   wanted. Without a secure page, a permission or a camera the page says so; typing works always. */

const PAUSE_MS = 120;
const WIDEST = 640; // pixels a picture is looked at in: enough for a code held into it, quick on an old phone
const ALIKE = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none", NotReadableError: "busy", AbortError: "busy" };

const ways = document.getElementById("counter-ways");
const button = document.getElementById("counter-scan");
const field = document.getElementById("counter-q");
const form = document.getElementById("counter-form");
const box = document.getElementById("counter-camera");
const video = document.getElementById("counter-video");
const canvas = document.createElement("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });

let stream = null;
let wanted = 0; // counts starts and stops: what an earlier start still waits for is dropped
let decoder = null;

function say(name) {
  for (const line of document.querySelectorAll("[data-says]")) line.hidden = line.dataset.says !== name;
}

function stop() {
  wanted += 1;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
  box.hidden = true;
  button.disabled = false;
}

function fetchDecoder() {
  decoder ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = ways.dataset.decoder;
    script.onload = () => resolve(window.jsQR);
    script.onerror = () => {
      decoder = null;
      reject(new Error("the decoder did not load"));
    };
    document.head.append(script);
  });
  return decoder;
}

function seen(decode) {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || !video.videoWidth) return "";
  const scale = Math.min(1, WIDEST / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  pen.drawImage(video, 0, 0, canvas.width, canvas.height);
  const picture = pen.getImageData(0, 0, canvas.width, canvas.height);
  return decode(picture.data, picture.width, picture.height)?.data.trim() ?? "";
}

function watch(decode, turn) {
  if (turn !== wanted) return;
  const text = seen(decode);
  if (!text) {
    setTimeout(watch, PAUSE_MS, decode, turn);
    return;
  }
  stop();
  field.value = text.slice(0, field.maxLength);
  form.requestSubmit();
}

async function start() {
  stop();
  const turn = wanted;
  button.disabled = true;
  say("");
  try {
    const [decode, opened] = await Promise.all([
      fetchDecoder(),
      navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "environment", width: { ideal: 1280 } } }).then((found) => {
        if (turn !== wanted) for (const track of found.getTracks()) track.stop();
        else stream = found;
        return found;
      }),
    ]);
    if (turn !== wanted) return;
    box.hidden = false;
    video.srcObject = opened;
    await video.play();
    watch(decode, turn);
  } catch (error) {
    if (turn !== wanted) return;
    stop();
    say(ALIKE[error.name] ?? "failed");
    field.focus();
  }
}

if (!window.isSecureContext) say("insecure");
else if (!navigator.mediaDevices?.getUserMedia) say("none");
else {
  button.hidden = false;
  button.addEventListener("click", start);
  document.getElementById("counter-stop").addEventListener("click", () => {
    stop();
    field.focus();
  });
  document.addEventListener("visibilitychange", () => document.hidden && stop());
  window.addEventListener("pagehide", stop);
}

/* A hand scanner types like a keyboard: with a mouse, the field is ready for it. On a phone no keyboard pops up. */
if (matchMedia("(pointer: fine)").matches && !field.value && !document.querySelector(".counter-card, .counter-redeem")) field.focus();
