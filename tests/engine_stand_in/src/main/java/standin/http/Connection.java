package standin.http;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import javax.net.ssl.SSLSocket;
import standin.Log;

/** One client's connection, with one request after another. */
final class Connection implements Runnable {
  private static final int IDLE_MILLIS = 60_000;
  private final Socket socket;
  private final HttpServer server;
  private volatile boolean busy;
  private volatile WebSocket webSocket;

  Connection(Socket socket, HttpServer server) {
    this.socket = socket;
    this.server = server;
  }

  boolean isBusy() {
    return busy && webSocket == null;
  }

  /** Ends the connection unless a request is in progress. */
  void closeIfIdle() {
    if (!isBusy()) {
      close();
    }
  }

  void close() {
    try {
      WebSocket open = webSocket;
      if (open != null) {
        open.goAway();
      }
      socket.close();
    } catch (IOException e) {
      Log.warn("A connection did not close: " + e.getMessage());
    }
  }

  @Override
  public void run() {
    try (socket) {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(IDLE_MILLIS);
      var in = new BufferedInputStream(socket.getInputStream());
      var out = new BufferedOutputStream(socket.getOutputStream(), 16 * 1024);
      var reader = new RequestReader(in, out, socket instanceof SSLSocket, socket.getLocalPort());
      boolean goesOn = true;
      while (goesOn) {
        goesOn = one(reader, out);
        busy = false;
      }
    } catch (IOException e) {
      // The client disconnected or was idle too long, which is not an error.
      busy = false;
    } finally {
      server.ended(this);
    }
  }

  private boolean one(RequestReader reader, OutputStream out) throws IOException {
    try {
      Optional<Request> request = reader.next(() -> busy = true);
      if (request.isEmpty()) {
        return false;
      }
      Response response = server.answer(request.get());
      boolean close = server.isStopping() || request.get().headers().has("Connection", "close");
      write(response, out, request.get().method().equals("HEAD"), close);
      if (response.conversation() != null) {
        converse(response.conversation(), out);
        return false;
      }
      return !close;
    } catch (HttpError e) {
      write(Response.text(e.status(), e.getMessage()), out, false, true);
      return false;
    }
  }

  private void converse(WebSocket.Conversation conversation, OutputStream out) throws IOException {
    socket.setSoTimeout(0);
    webSocket = new WebSocket(socket.getInputStream(), out);
    conversation.run(webSocket);
  }

  private static void write(Response response, OutputStream out, boolean headOnly, boolean close) throws IOException {
    var head = new StringBuilder("HTTP/1.1 ").append(response.status()).append(' ')
        .append(Status.reason(response.status())).append("\r\n");
    head.append("Date: ").append(DateTimeFormatter.RFC_1123_DATE_TIME.format(ZonedDateTime.now(ZoneOffset.UTC)))
        .append("\r\n");
    response.headers().toMap().forEach((name, values) ->
        values.forEach(value -> head.append(name).append(": ").append(value.replaceAll("[\r\n]", " ")).append("\r\n")));
    if (response.conversation() == null) {
      head.append("Content-Length: ").append(response.body().length).append("\r\n");
      if (close) {
        head.append("Connection: close\r\n");
      }
    }
    out.write(head.append("\r\n").toString().getBytes(StandardCharsets.UTF_8));
    if (!headOnly) {
      out.write(response.body());
    }
    out.flush();
  }
}
