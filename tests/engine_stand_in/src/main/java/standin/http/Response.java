package standin.http;

import java.nio.charset.StandardCharsets;

/** A response. */
public final class Response {
  private final int status;
  private final Headers headers = new Headers();
  private final byte[] body;
  private final WebSocket.Conversation conversation;

  private Response(int status, byte[] body, WebSocket.Conversation conversation) {
    this.status = status;
    this.body = body;
    this.conversation = conversation;
  }

  public static Response of(int status, String contentType, byte[] body) {
    return new Response(status, body, null).with("Content-Type", contentType);
  }

  public static Response html(int status, String html) {
    return of(status, "text/html; charset=UTF-8", html.getBytes(StandardCharsets.UTF_8));
  }

  public static Response text(int status, String text) {
    return of(status, "text/plain; charset=UTF-8", (text + "\n").getBytes(StandardCharsets.UTF_8));
  }

  public static Response json(int status, Object value) {
    return of(status, "application/json", (Json.write(value) + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** After a form was submitted: the browser fetches the page again. */
  public static Response seeOther(String location) {
    return new Response(303, new byte[0], null).with("Location", location);
  }

  public static Response redirect(String location) {
    return new Response(302, new byte[0], null).with("Location", location);
  }

  public static Response webSocket(Request request, WebSocket.Conversation conversation) throws HttpError {
    String key = request.headers().first("Sec-WebSocket-Key")
        .orElseThrow(() -> new HttpError(426, "This address speaks WebSocket only"));
    return new Response(101, new byte[0], conversation)
        .with("Upgrade", "websocket")
        .with("Connection", "Upgrade")
        .with("Sec-WebSocket-Accept", WebSocket.accept(key));
  }

  public Response with(String name, String value) {
    headers.add(name, value);
    return this;
  }

  public int status() {
    return status;
  }

  Headers headers() {
    return headers;
  }

  byte[] body() {
    return body;
  }

  WebSocket.Conversation conversation() {
    return conversation;
  }
}
