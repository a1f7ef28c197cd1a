package standin.http;

/** Answers requests. */
public interface Handler {
  Response handle(Request request) throws Exception;
}
