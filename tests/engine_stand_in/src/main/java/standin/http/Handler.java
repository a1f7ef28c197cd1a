package standin.http;

/** Handles requests. */
public interface Handler {
  Response handle(Request request) throws Exception;
}
