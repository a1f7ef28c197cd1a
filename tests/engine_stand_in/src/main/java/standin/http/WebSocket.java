package standin.http;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Optional;

/** The server's end of a WebSocket with short text messages. */
public final class WebSocket {
  private static final int TEXT = 1;
  private static final int CLOSE = 8;
  private static final int PING = 9;
  private static final int PONG = 10;
  private static final int LONGEST = 64 * 1024;
  private static final int GOING_AWAY = 1001;

  private final DataInputStream in;
  private final OutputStream out;

  /** Handles the connection, which ends when the method returns. */
  public interface Conversation {
    void run(WebSocket socket) throws IOException;
  }

  WebSocket(InputStream in, OutputStream out) {
    this.in = new DataInputStream(in);
    this.out = out;
  }

  static String accept(String key) {
    try {
      byte[] text = (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(StandardCharsets.US_ASCII);
      return Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-1").digest(text));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  public void send(String text) throws IOException {
    frame(TEXT, text.getBytes(StandardCharsets.UTF_8));
  }

  /** The next text message, or empty if the other side has closed the connection. */
  public Optional<String> receive() throws IOException {
    while (true) {
      int opcode = in.readUnsignedByte() & 0x0f;
      int lengthByte = in.readUnsignedByte();
      int length = lengthByte & 0x7f;
      if (length == 126) {
        length = in.readUnsignedShort();
      } else if (length == 127) {
        throw new IOException("A message is longer than " + LONGEST + " bytes");
      }
      byte[] mask = new byte[4];
      if ((lengthByte & 0x80) != 0) {
        in.readFully(mask);
      }
      byte[] content = in.readNBytes(length);
      for (int i = 0; i < content.length; i++) {
        content[i] ^= mask[i % 4];
      }
      switch (opcode) {
        case TEXT -> {
          return Optional.of(new String(content, StandardCharsets.UTF_8));
        }
        case PING -> frame(PONG, content);
        case CLOSE -> {
          frame(CLOSE, content);
          return Optional.empty();
        }
        default -> { }
      }
    }
  }

  void goAway() throws IOException {
    frame(CLOSE, new byte[] {(byte) (GOING_AWAY >> 8), (byte) GOING_AWAY});
  }

  private void frame(int opcode, byte[] content) throws IOException {
    synchronized (out) {
      out.write(0x80 | opcode);
      if (content.length < 126) {
        out.write(content.length);
      } else {
        out.write(126);
        out.write(content.length >> 8);
        out.write(content.length);
      }
      out.write(content);
      out.flush();
    }
  }
}
